"""Who did what on purpose, in a chain that shows where it was tampered with."""
