"""The node agent: samples which process holds which GPU, and never loses what it saw.

From a sample to the stream, in reading order: ``device`` (what can be read) and ``nvml`` (the true source),
``proc_identities`` (who a pid is), ``sampler`` (what two samples prove), ``runner`` (the loop and the spool),
``shipper``.
"""
