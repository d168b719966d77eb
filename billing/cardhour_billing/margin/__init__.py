"""What cards earn and what they cost: for the operator alone, never on a document."""
