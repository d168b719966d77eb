"""What staff do to an issued invoice: previewed by doing it and taking it back, then done once."""
