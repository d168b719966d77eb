"""What leaves by mail or webhook: each letter and event once, with what the other side said."""
