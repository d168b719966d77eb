"""What the agent and its NVML child say to each other, byte by byte and when it is not what they would say."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import pytest

from cardhour_agent.device import CardReading, NodeReading, ProcessReading
from cardhour_agent.nvml.talk import Incoming, NotOurs, Reply, framed, write_all


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    yield ours, theirs
    os.close(ours)


def test_a_reading_arrives_as_it_was_sent_in_however_many_pieces(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    card = CardReading(card="GPU-0", processes=(ProcessReading(pid=7, memory_bytes=None, sm=0),), fault="xid:79")
    reply = Reply(sequence=3, reading=NodeReading(readings=(card,)))
    incoming = Incoming(ours)
    for byte in (data := framed(reply))[:-1]:
        write_all(theirs, bytes([byte]))
        assert incoming.take() is None
    write_all(theirs, data[-1:])
    body = incoming.take()
    assert body is not None
    assert msgspec.msgpack.decode(body, type=Reply) == reply
    os.close(theirs)
    with pytest.raises(EOFError):
        incoming.take()


def test_a_length_that_cannot_be_is_refused_before_it_is_waited_for(pipe: tuple[int, int]) -> None:
    ours, theirs = pipe
    write_all(theirs, b"text\n")
    os.close(theirs)
    with pytest.raises(NotOurs):
        Incoming(ours).take()
