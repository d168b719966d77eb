"""The two topics, and what every Kafka client of ingest needs to reach them.

Owns connecting, the topics' settings, and what each of the client's errors means for us. Does not own reading
(``kafka_source``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnsupportedSaslMechanismError,
)

from cardhour_contract.errors import CardHourError, InvariantBroken, Refuse, Retry
from cardhour_contract.settings import StreamSettings
from cardhour_contract.stream import client_options, knock, why_no_bootstrap

REQUEST_BYTES_MAX = 2 * 1024**2
"""A dead letter is its message and a few more headers, so the dead-letter topic takes twice what the first one does."""

BOOTSTRAP_MS = 5_000
"""How long to look for a first broker before saying that none answers; whoever asked then asks again."""

TIMESTAMP_TYPE = "message.timestamp.type"
ARRIVAL = "LogAppendTime"

REFUSED = (AuthorizationError, KafkaConfigurationError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError)
"""Only a person can mend these."""


def connection(stream: StreamSettings) -> dict[str, Any]:
    """The client options that consumer, producer and admin client share."""
    return {**client_options(stream), "bootstrap_timeout_ms": BOOTSTRAP_MS}


def create_topics(stream: StreamSettings, *, partitions: int, replicas: int) -> list[str]:
    """Make the two topics where they are absent; returns the names of those made."""
    wanted: dict[str, dict[str, str]] = {
        stream.topic: {},
        stream.dead_letter_topic: {"max.message.bytes": str(REQUEST_BYTES_MAX)},
    }
    made = []
    with _admin(stream) as admin:
        for name, settings in wanted.items():
            configs = {TIMESTAMP_TYPE: ARRIVAL, **settings}
            topic = {name: {"num_partitions": partitions, "replication_factor": replicas, "configs": configs}}
            try:
                admin.create_topics(topic, wait_for_metadata=True)
                made.append(name)
            except TopicAlreadyExistsError:
                continue
    return made


def check_topic(stream: StreamSettings) -> None:
    """Refuse a topic that keeps the senders' times.

    Retention would delete what a node spooled for days before anyone read it, and arrival would be the sender's claim.
    """
    with _admin(stream) as admin:
        if stream.topic not in admin.list_topics():
            raise Retry(f"the topic {stream.topic} does not exist yet: create it with 'cardhour-ingest topics'")
        asked = ConfigResource("TOPIC", stream.topic)
        found = admin.describe_configs([asked], config_filter="all")["topic"][stream.topic]
        kept = found[TIMESTAMP_TYPE]["value"]
        if kept != ARRIVAL:
            raise Refuse(
                f"the topic {stream.topic} has {TIMESTAMP_TYPE}={kept}: set it to {ARRIVAL}"
                f" (kafka-configs --alter --add-config {TIMESTAMP_TYPE}={ARRIVAL})"
            )


@contextmanager
def dispositions(stream: StreamSettings) -> Iterator[None]:
    """Turns the client's errors into ours."""
    try:
        yield
    except KafkaError as error:
        raise disposition(error, stream) from error


@contextmanager
def _admin(stream: StreamSettings) -> Iterator[KafkaAdminClient]:
    knock(stream)
    with dispositions(stream):
        admin = KafkaAdminClient(**connection(stream))
        try:
            yield admin
        finally:
            admin.close()


def disposition(error: KafkaError, stream: StreamSettings) -> CardHourError:
    """Our error for one of the client's: retry, ask a person, or stop."""
    servers = ", ".join(stream.bootstrap_servers)
    if isinstance(error, REFUSED):
        return Refuse(f"Kafka at {servers} does not let us in ({error}): check [stream] in the settings, and the ACLs")
    if isinstance(error, KafkaTimeoutError) and "bootstrap" in str(error):
        return Retry(f"Kafka at {servers} accepts connections and answers no client: {why_no_bootstrap(stream)}")
    if getattr(error, "retriable", False):
        return Retry(f"Kafka at {servers} did not answer: {error}")
    return InvariantBroken(f"Kafka at {servers} refused a request: {error}")
