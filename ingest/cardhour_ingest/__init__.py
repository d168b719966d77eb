"""Reads reports, keeps them in ClickHouse, and computes the card-hour ledger."""
