"""Reminders of what is overdue: which, in which words, each level once."""
