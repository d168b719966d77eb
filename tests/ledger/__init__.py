"""The card-hour ledger: a reference in exact fractions, random fleets, and the comparison of the engine with both."""
