"""Fapiao (发票): what is asked of the tax bureau for an invoice, and what came of it."""
