"""Statements of the bank: read whatever their dialect, kept once, matched with what is owed."""
