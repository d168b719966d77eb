"""The warehouse: the only package that knows ClickHouse, and the only one that holds SQL.

Read ``migrations/`` (the tables), ``facts`` (raw rows in), ``rollup`` (raw rows to ledger pages), ``usage``
(questions).
"""
