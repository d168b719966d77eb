"""From card-microseconds to money: customers, bindings, prices, rating, invoices, the month close.

Start with ``rating`` (usage to lines) and ``close`` (lines to an issued invoice). Uses ingest's warehouse for usage
and nothing else of it; only ``allinone`` runs agent and ingest.
"""
