"""From quarters of a card-hour to lines. Plain Python: imports no Django, opens nothing."""
