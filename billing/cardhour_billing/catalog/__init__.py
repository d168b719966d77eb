"""Customers, bindings, prices and terms as code: a file is read, checked, compared with what is there, applied."""
