"""The page that staff keep open: cards now, the week's hours, the month's money, and what needs a person."""
