"""The NVML door against a libnvidia-ml.so.1 of ours: the true ctypes path, and what goes wrong there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cardhour_agent.device import CardReading, NodeReading
from tests.services.waiting import PATIENCE_S

READER = """
import json, os, sys
import msgspec
from cardhour_agent.nvml.device import NvmlDevice
device = NvmlDevice(pid_max=4194304)
for trouble in json.loads(sys.argv[1]):
    os.environ["STUB_NVML"] = trouble
    sys.stdout.write(msgspec.json.encode(device.read()).decode() + "\\n")
device.close()
"""

GIB = 1024**3


def read_nvml(library: Path, *troubles: str) -> list[NodeReading]:
    """One reading for each trouble, from one process that has the stub as its driver."""
    lines = run_reader(library, *troubles)
    return [msgspec.json.decode(line, type=NodeReading) for line in lines if line.startswith("{")]


def run_reader(library: Path, *troubles: str) -> list[str]:
    """The reader's output: readings as JSON, and its log."""
    done = subprocess.run(
        [sys.executable, "-c", READER, json.dumps(troubles)],
        env={**os.environ, "LD_LIBRARY_PATH": str(library)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return done.stdout.splitlines()


def card(reading: NodeReading, uuid: str) -> CardReading:
    return next(each for each in reading.readings if each.card == uuid)


def by_pid(reading: CardReading) -> dict[int, Any]:
    return {each.pid: (each.memory_bytes, each.sm) for each in reading.processes}


def test_a_healthy_node_unites_its_lists_and_counts_each_pid_once(stub_libraries: dict[str, Path]) -> None:
    first, second = read_nvml(stub_libraries["current"], "", "")
    assert [(each.card, each.model, each.memory_bytes) for each in first.cards] == [
        ("GPU-0", "Stub H100", 80 * GIB),
        ("GPU-1", "Stub H100", 80 * GIB),
    ]
    # pid 100 is in the compute and the graphics list; its two utilisation samples average 45 %.
    assert by_pid(card(first, "GPU-0")) == {100: (4 * GIB, 450_000), 200: (2 * GIB, 100_000)}
    assert card(first, "GPU-0").energy_mj == 1500
    assert card(first, "GPU-1") == CardReading(card="GPU-1")  # NOT_FOUND is no failure, no energy is no zero
    # Nothing newer than the watermarks: both used nothing since.
    assert by_pid(card(second, "GPU-0")) == {100: (4 * GIB, 0), 200: (2 * GIB, 0)}


def test_a_list_that_grows_between_two_calls_is_read_again(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "race")
    assert set(by_pid(card(reading, "GPU-0"))) == {100, 200}


def test_a_list_that_never_holds_still_is_a_failure_of_that_card_alone(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "always_race")
    failure = card(reading, "GPU-0").failure
    assert failure is not None and failure.reason == "insufficient_size"
    assert card(reading, "GPU-1").failure is None


def test_an_empty_probe_means_no_use_and_no_failure(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "empty_probe")
    assert by_pid(card(reading, "GPU-0")) == {100: (4 * GIB, 0), 200: (2 * GIB, 0)}


def test_utilisation_that_fails_is_not_measured_while_the_holders_are_known(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "utilisation_unknown")
    assert card(reading, "GPU-0").sm_missing == "unknown_error"
    assert by_pid(card(reading, "GPU-0")) == {100: (4 * GIB, None), 200: (2 * GIB, None)}


def test_utilisation_above_a_hundred_is_refused(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "garbage")
    assert by_pid(card(reading, "GPU-0")) == {100: (4 * GIB, None), 200: (2 * GIB, 100_000)}


def test_stale_samples_are_not_counted_again(stub_libraries: dict[str, Path]) -> None:
    _, second = read_nvml(stub_libraries["current"], "", "stale")
    assert by_pid(card(second, "GPU-0")) == {100: (4 * GIB, 0), 200: (2 * GIB, 0)}


@pytest.mark.parametrize("trouble", ["skew_pid", "skew_memory"])
def test_an_impossible_row_discards_the_whole_reply(stub_libraries: dict[str, Path], trouble: str) -> None:
    (reading,) = read_nvml(stub_libraries["current"], trouble)
    failure = card(reading, "GPU-0").failure
    assert failure is not None and failure.reason == "struct_skew"
    assert card(reading, "GPU-0").processes == ()
    assert card(reading, "GPU-1").failure is None


def test_unknown_memory_stays_unknown(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "memory_unknown")
    assert by_pid(card(reading, "GPU-0"))[100][0] == GIB  # the graphics list knows it


def test_a_lost_gpu_is_its_own_fault_and_its_neighbour_is_read(stub_libraries: dict[str, Path]) -> None:
    _, lost, back = read_nvml(stub_libraries["current"], "", "lost", "")
    assert [each.card for each in lost.cards] == ["GPU-0", "GPU-1"]
    assert card(lost, "GPU-1").fault == "gpu_lost"
    assert card(lost, "GPU-1").failure is not None
    assert set(by_pid(card(lost, "GPU-0"))) == {100, 200}
    assert card(back, "GPU-1") == CardReading(card="GPU-1")


def test_a_gpu_that_is_lost_between_two_calls_is_the_same_fault(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "list_lost")
    assert card(reading, "GPU-1").fault == "gpu_lost"
    assert card(reading, "GPU-0").fault is None


def test_only_listed_xids_are_faults(stub_libraries: dict[str, Path]) -> None:
    _, application, hardware, after = read_nvml(stub_libraries["current"], "", "xid13", "xid79", "")
    assert card(application, "GPU-1").fault is None
    assert card(hardware, "GPU-1").fault == "xid:79"
    assert card(hardware, "GPU-0").fault is None
    assert card(after, "GPU-1").fault is None


def test_new_uncorrectable_errors_are_a_fault(stub_libraries: dict[str, Path]) -> None:
    before, after = read_nvml(stub_libraries["current"], "", "ecc")
    assert card(before, "GPU-0").fault is None
    assert card(after, "GPU-0").fault == "ecc_uncorrectable"


def test_a_driver_without_the_mps_list_still_tells_the_others(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["without_mps"], "")
    assert by_pid(card(reading, "GPU-0")) == {100: (4 * GIB, 450_000)}


def test_a_driver_without_the_newest_lists_tells_by_the_ones_before(stub_libraries: dict[str, Path]) -> None:
    """535.98 took the third version out again, which 535.43 to 535.86 had answered with rows of another size."""
    (reading,) = read_nvml(stub_libraries["without_v3"], "")
    assert by_pid(card(reading, "GPU-0")) == {100: (4 * GIB, 450_000), 200: (2 * GIB, 100_000)}


def test_a_board_that_does_not_tell_its_memory_still_tells_its_processes(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "no_memory_info")
    assert {each.memory_bytes for each in reading.cards} == {None}
    assert by_pid(card(reading, "GPU-0"))[100][0] == 4 * GIB


def test_a_crowd_outgrows_the_buffer_and_nobody_is_missed_or_taken_for_another_cards(
    stub_libraries: dict[str, Path],
) -> None:
    crowded, after = read_nvml(stub_libraries["current"], "crowded", "")
    assert {1000 + each for each in range(300)} | {100, 200} == set(by_pid(card(crowded, "GPU-0")))
    assert {1000 + each for each in range(400)} == set(by_pid(card(crowded, "GPU-1")))
    assert set(by_pid(card(after, "GPU-0"))) == {100, 200}
    assert card(after, "GPU-1").processes == ()


def test_a_missing_driver_is_a_failure_of_the_node_and_it_is_asked_again(stub_libraries: dict[str, Path]) -> None:
    gone, back = read_nvml(stub_libraries["current"], "no_driver", "")
    assert gone.failure is not None and gone.failure.reason == "driver_not_loaded"
    assert gone.readings == ()
    assert len(back.readings) == 2


def test_no_library_at_all_is_told_by_its_word(tmp_path: Path) -> None:
    (reading,) = read_nvml(tmp_path, "")
    assert reading.failure is not None and reading.failure.reason == "library_not_found"


def test_instances_are_cards_and_their_parent_is_not(stub_libraries: dict[str, Path]) -> None:
    (reading,) = read_nvml(stub_libraries["current"], "mig")
    assert [(each.card, each.parent, each.model) for each in reading.cards] == [
        ("MIG-0-0", "GPU-0", "Stub H100 MIG 1g.10gb"),
        ("MIG-0-2", "GPU-0", "Stub H100 MIG 1g.10gb"),
        ("GPU-1", "", "Stub H100"),
    ]
    assert reading.mig_parents == ("GPU-0",)
    assert by_pid(card(reading, "MIG-0-0")) == {100: (4 * GIB, None)}
    assert by_pid(card(reading, "MIG-0-2")) == {300: (4 * GIB, None)}
    assert card(reading, "MIG-0-0").sm_missing == "mig"


def test_an_instances_activity_is_its_one_processes_on_hopper_and_later(stub_libraries: dict[str, Path]) -> None:
    first, second, third = read_nvml(stub_libraries["current"], "gpm", "gpm", "gpm")
    assert by_pid(card(first, "MIG-0-0")) == {100: (4 * GIB, None)}, "one sample alone tells nothing"
    for reading in (second, third):
        assert by_pid(card(reading, "MIG-0-0")) == {100: (4 * GIB, 312_500)}
        assert by_pid(card(reading, "MIG-0-2")) == {300: (4 * GIB, 625_000)}
        assert card(reading, "MIG-0-0").sm_missing == ""


@pytest.mark.parametrize("trouble", ["gpm_shared", "gpm_garbage"])
def test_activity_that_belongs_to_no_instance_alone_or_is_none_is_not_measured(
    stub_libraries: dict[str, Path], trouble: str
) -> None:
    _, reading = read_nvml(stub_libraries["current"], trouble, trouble)
    assert by_pid(card(reading, "MIG-0-2")) == {300: (4 * GIB, None)}
    assert card(reading, "MIG-0-2").sm_missing == "mig"


def test_a_failing_measurement_costs_no_instance_its_holder(stub_libraries: dict[str, Path]) -> None:
    before, failing, after = read_nvml(stub_libraries["current"], "gpm", "gpm_failing", "gpm")
    assert by_pid(card(failing, "MIG-0-0")) == {100: (4 * GIB, None)}
    assert card(failing, "MIG-0-0").failure is None
    assert by_pid(card(after, "MIG-0-0")) == {100: (4 * GIB, 312_500)}
    assert before.cards == failing.cards == after.cards


def test_samples_of_instances_that_are_gone_are_let_go(stub_libraries: dict[str, Path]) -> None:
    """The stub aborts where more are open than two instances need."""
    readings = read_nvml(stub_libraries["current"], *["gpm", "", "gpm"] * 3)
    assert [len(each.cards) for each in readings] == [3, 2, 3] * 3


def test_what_a_card_never_answers_is_told_once(stub_libraries: dict[str, Path]) -> None:
    lines = run_reader(stub_libraries["current"], "", "", "", "")
    told = [line for line in lines if "not_measured" in line and "energy" in line]
    assert len(told) == 1
    assert "GPU-1" in told[0] and "not_supported" in told[0]


def test_a_needed_reset_is_a_fault_until_it_is_done(stub_libraries: dict[str, Path]) -> None:
    broken, mended = read_nvml(stub_libraries["current"], "reset_needed", "")
    assert card(broken, "GPU-0").fault == "reset_required"
    assert card(broken, "GPU-1").fault is None
    assert card(mended, "GPU-0").fault is None


def test_a_lost_parent_is_the_fault_of_its_instances(stub_libraries: dict[str, Path]) -> None:
    before, lost = read_nvml(stub_libraries["current"], "mig", "mig_lost")
    assert lost.cards == before.cards
    assert lost.mig_parents == ("GPU-0",)
    assert [(each.card, each.fault) for each in lost.readings] == [
        ("MIG-0-0", "gpu_lost"),
        ("MIG-0-2", "gpu_lost"),
        ("GPU-1", None),
    ]


def test_a_gpu_that_moved_to_another_index_is_not_lost_at_its_old_one(stub_libraries: dict[str, Path]) -> None:
    _, moved = read_nvml(stub_libraries["current"], "", "moved")
    assert [each.card for each in moved.cards] == ["GPU-1"]
    assert card(moved, "GPU-1").fault is None
