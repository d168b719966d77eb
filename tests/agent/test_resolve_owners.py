"""Asking without waiting: what a sample is told at once, what comes later, and what holds while nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cardhour_agent.resolve import owners as owners_module
from cardhour_agent.resolve.answer import Answer, NoAnswer, Reply, owned
from cardhour_agent.resolve.asker import MISSES_BELIEVED, PLACES_MAX, UNUSED_MAX_MS, Asker
from cardhour_agent.resolve.owners import SAMPLE_WAIT_MS, WAITING_MAX_MS, Owners
from cardhour_agent.resolve.place import Container, Job, Place, Pod, User
from cardhour_contract.clock import VirtualClock
from cardhour_contract.identity import unnamed_workload
from cardhour_contract.record import Attribution
from tests.services.waiting import PATIENCE_MS, PATIENCE_S

REFRESH_MS = 60_000
ALICE, POD, JOB = User(uid=1000), Pod(uid="0f" * 16, container_id="3f" * 32), Job(name="7")
DOCKER = Container(runtime="docker", container_id="00" * 32)


class Book:
    """A resolver that answers from a book which a test writes, when the test lets it."""

    def __init__(self, name: str = "user") -> None:
        self.name = name
        self.answers: dict[Place, Answer | NoAnswer | Exception] = {}
        self.asked: list[Place] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def find(self, place: Place) -> Answer | None:
        self.asked.append(place)
        assert self.may_answer.wait(PATIENCE_S)
        answer = self.answers.get(place)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(0)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def asker(book: Book, clock: VirtualClock) -> Iterator[Asker]:
    asking = Asker(book, clock, REFRESH_MS)
    yield asking
    book.may_answer.set()
    asking.close()


def ask_and_wait(asker: Asker, place: Place) -> Reply:
    """The reply after the question that is due now, if one is, was answered and written down."""
    asker.ask(place)
    wait_for_answers(asker)
    return asker.ask(place)


def wait_for_answers(asker: Asker) -> None:
    """Until every question that was due is answered, and the answer written down."""
    pause = threading.Event()
    while any(each.queued for each in list(asker._entries.values())):
        pause.wait(0.002)


def test_a_sample_that_does_not_wait_is_told_pending_and_the_next_one_the_answer(asker: Asker, book: Book) -> None:
    book.answers[ALICE] = owned("user", "alice")
    book.may_answer.clear()
    assert asker.ask(ALICE) == Reply(None, "pending")
    book.may_answer.set()
    assert ask_and_wait(asker, ALICE) == Reply(owned("user", "alice"))


def test_a_quick_answer_is_given_at_once_where_a_sample_waits_a_little(asker: Asker, book: Book) -> None:
    book.answers[ALICE] = owned("user", "alice")
    assert asker.ask(ALICE, PATIENCE_MS) == Reply(owned("user", "alice"))


def test_an_answer_is_asked_for_once_until_it_is_due_again(asker: Asker, book: Book, clock: VirtualClock) -> None:
    book.answers[ALICE] = owned("user", "alice")
    asker.ask(ALICE, PATIENCE_MS)
    clock.sleep_ms(REFRESH_MS - 1)
    asker.ask(ALICE)
    assert book.asked == [ALICE]
    book.answers[ALICE] = owned("user", "alicia")
    clock.sleep_ms(1)
    assert ask_and_wait(asker, ALICE) == Reply(owned("user", "alicia"))


@pytest.mark.parametrize("trouble", [NoAnswer("unreachable", "gone"), None])
def test_what_was_known_holds_while_nobody_answers(
    asker: Asker, book: Book, clock: VirtualClock, trouble: NoAnswer | None
) -> None:
    book.answers[ALICE] = owned("user", "alice")
    asker.ask(ALICE, PATIENCE_MS)
    book.answers.pop(ALICE)
    if trouble:
        book.answers[ALICE] = trouble
    for _ in range(MISSES_BELIEVED + 1):
        clock.sleep_ms(REFRESH_MS)
        assert ask_and_wait(asker, ALICE).answer == owned("user", "alice")
    assert len(book.asked) == MISSES_BELIEVED + 2


def test_a_place_is_believed_missing_after_several_questions_only(
    asker: Asker, book: Book, clock: VirtualClock
) -> None:
    reasons = []
    for _ in range(MISSES_BELIEVED):
        reasons.append(ask_and_wait(asker, ALICE).reason)
        clock.sleep_ms(REFRESH_MS)
    assert reasons == ["pending"] * (MISSES_BELIEVED - 1) + ["not_found"]


def test_questions_without_an_answer_are_repeated_ever_more_seldom(
    asker: Asker, book: Book, clock: VirtualClock
) -> None:
    book.answers[ALICE] = NoAnswer("unreachable", "no socket")
    ask_and_wait(asker, ALICE)
    for count, wait_s in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
        clock.sleep_ms(wait_s * 1000 - 1)
        assert ask_and_wait(asker, ALICE).reason == "unreachable"
        assert len(book.asked) == count
        clock.sleep_ms(1)
        ask_and_wait(asker, ALICE)


def test_a_mistake_about_one_place_costs_no_other_place_its_owner(asker: Asker, book: Book) -> None:
    book.answers[ALICE] = ZeroDivisionError("a mistake")
    book.answers[JOB] = owned("slurm", "physics", "7")
    assert asker.ask(ALICE, PATIENCE_MS) == Reply(None, "failed")
    assert asker.ask(JOB, PATIENCE_MS) == Reply(owned("slurm", "physics", "7"))


def test_what_nobody_asked_for_this_long_is_not_told_again(asker: Asker, book: Book, clock: VirtualClock) -> None:
    book.answers[JOB] = owned("slurm", "physics", "7")
    asker.ask(JOB, PATIENCE_MS)
    book.may_answer.clear()
    clock.sleep_ms(UNUSED_MAX_MS + 1)
    assert asker.ask(JOB) == Reply(None, "pending")


def test_no_more_places_are_remembered_than_the_limit(asker: Asker, book: Book) -> None:
    book.may_answer.clear()
    for uid in range(PLACES_MAX + 10):
        asker.ask(User(uid=uid))
    assert len(asker._entries) == PLACES_MAX


def owners(clock: VirtualClock, *askers: tuple[str, Asker], system: tuple[str, ...] = ()) -> Owners:
    return Owners(dict(askers), clock, system)


def test_the_first_place_that_somebody_knows_decides(clock: VirtualClock) -> None:
    kubernetes, docker = Book("kubernetes"), Book("docker")
    kubernetes.answers[POD] = owned("k8s", "team-a", "trainer")
    docker.answers[DOCKER] = owned("docker", "kind-worker", "kind-worker")
    asked = owners(clock, ("kubernetes", Asker(kubernetes, clock, 1)), ("docker", Asker(docker, clock, 1)))
    assert asked.find((POD, DOCKER)).owner == "k8s:team-a"
    assert docker.asked == []
    asked.close()


def test_while_the_first_does_not_answer_nobody_else_is_believed(clock: VirtualClock) -> None:
    slurm, user = Book("slurm"), Book("user")
    slurm.answers[JOB] = NoAnswer("unreachable", "controller down")
    user.answers[ALICE] = owned("user", "alice")
    asked = owners(clock, ("slurm", Asker(slurm, clock, 1)), ("user", Asker(user, clock, 1)))
    assert asked.find((JOB, ALICE)).owner == "unknown:slurm_unreachable"
    assert user.asked == []
    asked.close()


def test_a_place_whose_resolver_is_off_leaves_it_to_the_next_and_else_says_so(clock: VirtualClock) -> None:
    user = Book("user")
    user.answers[ALICE] = owned("user", "alice")
    asked = owners(clock, ("user", Asker(user, clock, 1)))
    assert asked.find((JOB, ALICE)).owner == "user:alice"
    assert asked.find((POD, DOCKER)).owner == "unknown:kubernetes_off"
    assert asked.find((Container(runtime="containerd", container_id="1f" * 32),)).owner == "unknown:no_resolver"
    assert asked.find(()).owner == "unknown:no_uid"
    asked.close()


def test_the_operators_own_owners_are_the_system(clock: VirtualClock) -> None:
    kubernetes = Book("kubernetes")
    kubernetes.answers[POD] = owned("k8s", "gpu-operator", "mps-control-daemon-x7")
    asked = owners(clock, ("kubernetes", Asker(kubernetes, clock, 1)), system=("k8s:gpu-operator",))
    assert asked.find((POD,)) == Answer(owner="system:gpu-operator", workload="mps-control-daemon-x7")
    asked.close()


def test_all_that_one_sample_waits_is_limited(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners_module, "SAMPLE_WAIT_MS", SAMPLE_WAIT_MS)

    class Passing(VirtualClock):
        """Time passes while somebody waits: each look at the clock costs 30 ms."""

        def monotonic_ms(self) -> int:
            self.sleep_ms(30)
            return super().monotonic_ms()

    book = Book()
    book.may_answer.clear()
    passing = Passing(0)
    asker = Asker(book, clock, 1)
    asked = Owners({"user": asker}, passing)
    for uid in range(3):
        assert asked.find((User(uid=uid),)).owner == "unknown:pending"
    assert asked._wait_ms == 0
    asked.sampled()
    assert asked._wait_ms == SAMPLE_WAIT_MS
    book.may_answer.set()
    asked.close()


def test_a_process_that_is_gone_is_attributed_when_the_answer_comes(clock: VirtualClock) -> None:
    book = Book()
    book.answers[ALICE] = NoAnswer("unreachable", "directory down")
    asker = Asker(book, clock, 1)
    asked = owners(clock, ("user", asker))
    assert asked.find((ALICE,)).owner == "unknown:user_unreachable"
    asked.expect(42, (ALICE,))
    assert asked.late() == ()
    book.answers[ALICE] = Answer(owner="user:alice", share=500)
    found: tuple[Attribution, ...] = ()
    while not found:
        clock.sleep_ms(1000)
        found = asked.late()
        wait_for_answers(asker)
    assert found == (Attribution(process=42, owner="user:alice", workload=unnamed_workload(42), share=500),)
    assert asked.late() == ()
    asked.close()


def test_nobody_waits_for_ever(clock: VirtualClock) -> None:
    asked = owners(clock)
    asked.expect(42, (POD,))
    clock.sleep_ms(WAITING_MAX_MS)
    asked.late()
    assert asked._waiting
    clock.sleep_ms(1)
    asked.late()
    assert not asked._waiting
