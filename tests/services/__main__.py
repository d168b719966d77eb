"""Makes what the tests' services are run from, so that no test waits for a download, nor starts a broker from nothing.

Without Java or Maven it says so and leaves it: the tests that need them are skipped with that reason. Under CI=true,
where nothing may be skipped, it fails.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.services import kafka_files
from tests.services.kafka_broker import KafkaBroker


def run_once(flag: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cardhour-kafka-") as folder:
        broker = KafkaBroker(Path(folder))
        broker.start(flag)
        broker.stop()


try:
    kafka_files.formatted()
    if not kafka_files.archive().exists():
        kafka_files.make_archive(run_once)
except kafka_files.UnavailableError as reason:
    sys.stderr.write(f"No Kafka broker for the tests: {reason}\n")
    sys.exit(os.environ.get("CI") == "true")
