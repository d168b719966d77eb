"""What a document says and what it was computed from, as values that are frozen with it and can be computed again."""
