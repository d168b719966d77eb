"""gpustat, asked for all cards and processes every so many seconds; runs in a Python of its own that has gpustat."""

from __future__ import annotations

import sys
import time
from importlib import import_module


def main() -> None:
    gpustat = import_module("gpustat")
    while True:
        gpustat.new_query().jsonify()
        time.sleep(float(sys.argv[1]))


if __name__ == "__main__":
    main()
