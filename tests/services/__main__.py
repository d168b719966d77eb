"""Fetches what the tests' services are made of, so that no test waits for a download.

Without Java or Maven it says so and leaves it: the tests that need them are skipped with that reason. Under CI=true,
where nothing may be skipped, it fails.
"""

from __future__ import annotations

import os
import sys

from tests.services import kafka_broker

try:
    kafka_broker.class_path()
except kafka_broker.UnavailableError as reason:
    sys.stderr.write(f"No Kafka broker for the tests: {reason}\n")
    sys.exit(os.environ.get("CI") == "true")
