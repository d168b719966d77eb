"""``make test-gpu``: real CUDA processes under the real driver, metered by the agent, against their own clocks.

Owns the tenants, what is promised of their metering, and the questions to the driver that only hardware answers. It
needs a GPU and its driver, and no toolkit: the tenants call ``libcuda.so.1`` directly. Nothing of the machine is
changed: accounting mode, MIG and persistence mode are taken as found, and what the machine lacks is said.
"""
