"""The NVML door: the only package that imports ``pynvml``.

The agent asks through ``watched``, which keeps a child process (``child``, ``talk``) for the driver to hang or crash.
There ``device`` reads the node, with the help of ``lists`` (who has a context on a card), ``accounting`` (what the
driver noted between readings), ``health`` (what is wrong with a GPU), ``asking`` (questions that a driver may not
answer) and ``codes`` (what return codes mean).
"""
