"""From card-microseconds to money: customers, bindings, prices, rating, invoices, the month close.

Start with ``rating`` (quarters to lines) and ``closing`` (lines to an issued invoice). Each folder is one subject and
imports only those below it:

    usage_report  budgets  prepaid  effects        what is asked, watched and weighed
    closing  answers  statements  bank  dunning  fapiao  margin  month_usage  focus
    sending                                        what leaves by mail and webhook
    invoices  documents                            issued once and for ever; PDF, CSV, XLSX, made once
    charges  einvoice                              what a month charges beside usage; UBL
    frozen  receivables                            what a document says and rests on; what is owed and paid
    usage                                          billing's view of the ledger
    catalog                                        customers, bindings, prices and terms as code
    leases
    rating                                         plain Python: quarters in, lines out
    exact  month  cost  money                      money's one door, fractions, the billing month

``models`` are the tables, ``audit`` the log; ``commands``, ``portal`` and ``api`` are how people and programs come in.
Uses ingest's warehouse for usage and nothing else of it; only ``allinone`` runs agent and ingest.
"""
