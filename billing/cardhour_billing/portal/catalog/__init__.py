"""Changing the catalog in the portal: a form or a text, what it would change and come to, and then doing it."""
