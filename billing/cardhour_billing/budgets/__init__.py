"""Budgets of customers: set, looked at each hour, each threshold said once."""
