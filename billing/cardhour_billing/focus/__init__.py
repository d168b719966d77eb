"""What was billed as a FOCUS data set: one row for each line, day and card, and one for each tax."""
