"""Documents that are owed: drafted, issued once and for ever, numbered without gaps, credited, issued again."""
