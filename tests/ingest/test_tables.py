"""Which rows, and which hours to recompute, come of a report."""

from __future__ import annotations

from cardhour_contract.identity import batch_key, workload_key
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS
from cardhour_contract.record import Attribution, Fault, Process, Report, Scan, ScannedCard
from cardhour_ingest.reading import read
from cardhour_ingest.tables import Facts, facts_of
from tests.ingest.reports import AT_MS, NODE, PROCESS, card, message, report, usage

HOUR = AT_MS // HOUR_MS


def facts(*reports: Report) -> Facts:
    found, rejected = facts_of([read(message(each, number=at)) for at, each in enumerate(reports)])
    assert rejected == {}
    return found


def test_a_usage_row_carries_its_report_and_its_keys() -> None:
    found = facts(report(usage=(usage(active=30, memory=40, share=250, bridged=True),)))
    assert found.tables["usage_record"].to_pylist() == [
        {
            "hour": HOUR,
            "card": "GPU-1",
            "start_ms": AT_MS,
            "batch": batch_key("node-1/boot-1/0"),
            "end_ms": AT_MS + MINUTE_MS,
            "node": NODE,
            "received_at": found.tables["ingest_batch"].column("received_at").to_pylist()[0],
            "process": PROCESS,
            "basis": 0,
            "owner": "k8s:team-a",
            "workload": workload_key("k8s:team-a", "pod-1"),
            "share": 250,
            "bridged": 1,
            "active": 30,
            "memory": 40,
        }
    ]
    assert found.tables["workload"].to_pylist() == [
        {"workload": workload_key("k8s:team-a", "pod-1"), "owner": "k8s:team-a", "name": "pod-1"}
    ]


def test_what_was_not_measured_is_missing_and_not_zero() -> None:
    found = facts(report(usage=(usage(active=0), usage(memory=0)), cards=(card(), card(energy_mj=0))))
    assert found.tables["usage_record"].column("active").to_pylist() == [0, None]
    assert found.tables["usage_record"].column("memory").to_pylist() == [None, 0]
    assert found.tables["card_record"].column("energy_mj").to_pylist() == [None, 0]


def test_two_owners_workloads_of_one_name_are_two() -> None:
    found = facts(report(usage=(usage(owner="k8s:a", workload="train"), usage(owner="k8s:b", workload="train"))))
    assert len(set(found.tables["usage_record"].column("workload").to_pylist())) == 2
    assert sorted(found.tables["workload"].column("owner").to_pylist()) == ["k8s:a", "k8s:b"]


def test_the_latest_word_of_a_node_about_itself_counts_whatever_the_order() -> None:
    newer, older = report(cluster="new", wall_ms=AT_MS + 2 * MINUTE_MS), report(cluster="old")
    for pair in ((newer, older), (older, newer)):
        assert facts(*pair).tables["node"].column("cluster").to_pylist() == ["new"]


def test_the_first_and_the_last_word_of_a_node_about_its_basis_are_kept_for_each_day() -> None:
    said = [(0, "process"), (2, "process"), (1, "process"), (3, "allocation"), (24 * 60, "process")]
    reports = (report(wall_ms=AT_MS + minute * MINUTE_MS, basis=basis) for minute, basis in said)
    words = facts(*reports).tables["node_basis"].select(["basis", "first_ms", "last_ms"]).to_pylist()
    assert sorted((each["first_ms"] - AT_MS, each["last_ms"] - AT_MS, each["basis"]) for each in words) == [
        (0, 2 * MINUTE_MS, 0),
        (3 * MINUTE_MS, 3 * MINUTE_MS, 1),
        (24 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 0),
    ]


def test_a_scan_says_which_cards_a_node_has() -> None:
    scan = Scan(
        at_ms=AT_MS,
        cards=(ScannedCard(card="GPU-1", model="T4", memory_bytes=2**34), ScannedCard(card="GPU-2", model="T4")),
    )
    found = facts(report(scan=scan))
    assert found.tables["node_scan"].column("cards").to_pylist() == [["GPU-1", "GPU-2"]]
    assert found.tables["card"].column("memory_bytes").to_pylist() == [2**34, 0]
    assert found.tables["card"].column("scanned").to_pylist() == [1, 1]


def test_a_process_is_described_within_limits() -> None:
    described = Process(process=PROCESS, pid=100, start_ticks=5, command="python " + "x" * 5_000)
    found = facts(report(processes=(described,))).tables["process"].to_pylist()[0]
    assert found["command"].startswith("python x")
    assert len(found["command"]) == 1_024
    assert found["uid"] is None


def test_every_hour_a_row_lies_in_is_marked() -> None:
    across = usage(started_at_ms=AT_MS - 5 * MINUTE_MS)
    found = facts(report(usage=(across,)), report(node="node-2", usage=(), cards=(card(started_at_ms=AT_MS),)))
    assert found.dirty == {(HOUR - 1, "node-1"), (HOUR, "node-1"), (HOUR, "node-2")}


def test_a_closed_fault_marks_every_hour_from_its_opening_to_its_end() -> None:
    fault = Fault(card="GPU-1", opened_at_ms=AT_MS - 5 * HOUR_MS, closed_at_ms=AT_MS, reason="xid:79")
    found = facts(report(usage=(), cards=(), faults=(fault,)))
    assert found.dirty == {(HOUR - back, NODE) for back in range(1, 6)}


def test_an_open_fault_marks_what_it_can_have_changed_by_now_and_at_most_a_day() -> None:
    recent = Fault(card="GPU-1", opened_at_ms=AT_MS - 2 * HOUR_MS, reason="xid:79")
    assert facts(report(usage=(), cards=(), faults=(recent,))).dirty == {(HOUR - back, NODE) for back in range(3)}
    ancient = Fault(card="GPU-1", opened_at_ms=AT_MS - 7 * DAY_MS, reason="xid:79")
    first = HOUR - 7 * 24
    found = facts(report(usage=(), cards=(), faults=(ancient,)))
    assert found.dirty == {(first + hour, NODE) for hour in range(24)}
    assert found.tables["fault"].column("closed_at_ms").to_pylist() == [0]


def test_a_late_answer_names_its_process_and_workload() -> None:
    answer = Attribution(process=PROCESS, owner="slurm:physics", workload="job-7", share=500)
    found = facts(report(attributions=(answer,)))
    assert found.attributed == {PROCESS}
    row = found.tables["attribution"].to_pylist()[0]
    assert (row["process"], row["owner"], row["share"]) == (PROCESS, "slurm:physics", 500)
    assert row["workload"] in found.tables["workload"].column("workload").to_pylist()


def test_a_batch_of_nothing_adds_nothing() -> None:
    found, rejected = facts_of([])
    assert (found.tables, found.dirty, rejected) == ({}, frozenset(), {})
    empty = facts(report(usage=(), cards=()))
    assert (empty.usage_rows, empty.card_rows) == (0, 0)
    assert empty.tables["ingest_batch"].num_rows == 1
