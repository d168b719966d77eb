"""Keys: stable names of processes, workloads and batches, on which raw rows of years are joined."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cardhour_contract.identity import batch_key, imported_process_key, key_of, process_key, workload_key

parts = st.lists(st.text(max_size=4), min_size=1, max_size=4)


def test_keys_are_what_they_always_were() -> None:
    """A change here would give every process and workload in the warehouse a second name."""
    assert process_key("node-1", "boot-1", 100, 5) == 323629756362901375
    assert workload_key("k8s:team-a", "pod-1") == 14566302795237437614
    assert batch_key("node-1/boot-1/1") == 7580624341462647936
    assert imported_process_key("GPU-1", "job-1") == key_of("imported", "GPU-1", "job-1")


@given(parts, parts)
def test_no_two_lists_of_parts_read_alike(one: list[str], other: list[str]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(parts)
def test_a_key_fits_the_warehouses_column(each: list[str]) -> None:
    assert 0 <= key_of(*each) < 2**64
