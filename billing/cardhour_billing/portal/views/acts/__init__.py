"""Pages on which staff do something to an issued invoice: a form, what it would do, and doing it."""
