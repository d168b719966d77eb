"""The verdict: does the ledger say what the scenario file says, and nothing else?

Owns comparing. ``differences`` returns them all as sentences, so that a test of a broken ordering can ask for one.
"""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from cardhour_contract.moment import HOUR_MS
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.usage import balance, usage
from tests.chaos.pipeline import PARTITIONS, Pipeline
from tests.chaos.truth import MS_US, Truth, Usage, truth_of
from tests.chaos.world import World


def differences(pipeline: Pipeline, truth: Truth | None = None, warehouse: Warehouse | None = None) -> list[str]:
    """Everything in which the ledger differs from the truth, to the microsecond."""
    truth = truth or truth_of(pipeline.world.path)
    warehouse = warehouse or pipeline.warehouse
    return [
        *_usage(warehouse, pipeline.world, truth),
        *_conservation(warehouse, pipeline.world, truth),
        *_letters(warehouse, pipeline.bad),
    ]


def assert_true(pipeline: Pipeline, truth: Truth | None = None) -> None:
    """No difference in the ledger, and the dead-letter topic has exactly what was planted."""
    assert differences(pipeline, truth) == []
    assert published(pipeline.stream) == set(pipeline.bad)


def _usage(warehouse: Warehouse, world: World, truth: Truth) -> list[str]:
    rows = usage(warehouse, *world.span_ms, by=("card", "owner"))
    found = {(row["card"], row["owner"]): Usage(row["held_us"], row["billable_us"]) for row in rows}
    return [
        f"{card} {owner}: {found.get((card, owner))} in the ledger, {truth.usage.get((card, owner))} in truth"
        for card, owner in sorted(found.keys() | truth.usage.keys())
        if found.get((card, owner)) != truth.usage.get((card, owner))
    ]


def _conservation(warehouse: Warehouse, world: World, truth: Truth) -> list[str]:
    """Every card has every hour, all terms add up to it, and no page was refused."""
    problems = []
    from_ms, to_ms = world.span_ms
    whole = balance(warehouse, from_ms, to_ms)
    if whole.cards != truth.cards or whole.span_us != truth.cards * (to_ms - from_ms) * MS_US:
        problems.append(f"the pages span {whole.span_us} µs of {whole.cards} cards, and there are {truth.cards}")
    if (whole.rounding_us, whole.faulted_us) != (truth.rounding_us, 0):
        problems.append(
            f"{whole.rounding_us} µs rounding and {whole.faulted_us} faulted, not {truth.rounding_us} and 0"
        )
    pages = (to_ms - from_ms) // HOUR_MS * truth.cards
    missing = pages - warehouse.value(
        "SELECT count() FROM card_hour FINAL WHERE hour >= {from:UInt32} AND hour < {to:UInt32}",
        **{"from": from_ms // HOUR_MS, "to": to_ms // HOUR_MS},
    )
    if missing:
        problems.append(f"{missing} of {pages} pages are missing")
    breached = warehouse.value("SELECT count() FROM ledger_breach")
    if breached:
        problems.append(f"{breached} pages are in breach")
    return problems


def _letters(warehouse: Warehouse, bad: list[bytes]) -> list[str]:
    rows = warehouse.rows("SELECT DISTINCT letter, hex(body) AS body, reason, path, detail FROM dead_letter")
    found = sorted(bytes.fromhex(row["body"]) for row in rows)
    if found == sorted(bad):
        return []
    strangers = [row for row in rows if bytes.fromhex(row["body"]) not in bad]
    return [f"{len(found)} dead letters for {len(bad)} planted; strangers: {strangers[:3]}"]


def published(stream: StreamSettings) -> set[bytes]:
    """The distinct bodies in the dead-letter topic."""
    consumer = KafkaConsumer(bootstrap_servers=list(stream.bootstrap_servers), auto_offset_reset="earliest")
    partitions = [TopicPartition(stream.dead_letter_topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    found: set[bytes] = set()
    try:
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(timeout_ms=200).values():
                found.update(record.value for record in records)
    finally:
        consumer.close()
    return found
