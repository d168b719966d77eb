"""A customer's month of usage and charges, put together once and kept: what its pages, reports and budgets read."""
