"""Usage as billing asks for it: the ledger's quarters, a month of them rated, one customer's usage."""
