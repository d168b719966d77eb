"""The web pages: customers read and download their invoices, staff see every customer's and the month close.

Owns pages and who may see them. Does not own what an invoice says (``document``) or how it came about (``close``).
Nothing here writes to the store but signing in and out.
"""
