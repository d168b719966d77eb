"""Statements of account (对账单): drawn up, sent, confirmed or disputed."""
