"""What agent, ingest and billing agree on: records, wire bytes, the spool, intervals, clocks, errors, settings.

Start with ``record`` (the words), then ``wire`` (the bytes). Imports nothing of the other three.
"""
