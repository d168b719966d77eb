"""Dead letters in the portal: by reason, what a replay would do, and how far it is."""
