"""All of CardHour in one process: the one place where agent, ingest and billing meet.

``fleet`` tells the demonstration's story, ``demo`` plays and bills it, ``up`` runs this machine for real.
"""
