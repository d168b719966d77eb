"""Benchmarks: how much each stage of the pipeline does in a second on this machine."""
