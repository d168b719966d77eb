"""gpustat, asked for all cards and processes every so many seconds; runs in a Python of its own that has gpustat."""

import sys
import time

import gpustat


def main() -> None:
    while True:
        gpustat.new_query().jsonify()
        time.sleep(float(sys.argv[1]))


if __name__ == "__main__":
    main()
