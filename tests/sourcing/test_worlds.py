"""Worlds that did not happen: branches, other decisions, replays without effects (ES-09)."""

from collections.abc import Iterable

import pytest

from edasim.errors import StateError, UnknownNameError
from edasim.events import Event
from edasim.scenarios import Registration
from edasim.scenarios.registration.handlers import ACCEPTED, MAIL_REQUESTED, REJECTED, REQUESTED
from edasim.sourcing import Difference, Fold, ReplayContext, branch, redecide, what_if


def requested(number: int, cents: int, time: str = "2026-11-23T10:00:00Z") -> Event:
    return Event(type="requested", id=f"r-{number}", source="/shop", time=time, data={"cents": cents})


def accept_up_to(limit: int):  # type: ignore[no-untyped-def]
    """Accepts while the sum of what was accepted stays within a limit."""

    def handler(event: Event, context: ReplayContext) -> list[Event]:
        context.fact("checked", cents=event.data["cents"])
        if context.state["cents"] + event.data["cents"] > limit:
            return [Event(type="refused", data={})]
        return [Event(type="accepted", data=event.data), Event(type="mail", data={"to": "x"})]

    return handler


SUM = Fold(
    name="sum", initial={"cents": 0}, types=("accepted",), apply=lambda s, e: {"cents": s["cents"] + e.data["cents"]}
)


def world(requests: Iterable[Event], limit: int = 10) -> tuple[Event, ...]:
    """What the handler makes of the requests."""
    return branch(list(requests), {}, {"requested": accept_up_to(limit)}, SUM)


ACTUAL = world([requested(1, 6), requested(2, 5), requested(3, 4)])


def told(events: Iterable[Event]) -> list[str]:
    return [f"{event.cause_id or ''}>{event.type}" for event in events]


def test_a_world_replayed_unchanged_is_the_world() -> None:
    assert told(ACTUAL) == [
        ">requested", "r-1>accepted", "r-1>mail", ">requested", "r-2>refused", ">requested", "r-3>accepted", "r-3>mail",
    ]  # fmt: skip
    assert branch(ACTUAL, {}, {"requested": accept_up_to(10)}, SUM) == ACTUAL
    assert what_if(ACTUAL, SUM, {}, {"requested": accept_up_to(10)}).differences == []


def test_without_the_first_request_the_second_is_accepted() -> None:
    worlds = what_if(ACTUAL, SUM, {"r-1": None}, {"requested": accept_up_to(10)})
    assert told(worlds.imagined) == [">requested", "r-2>accepted", "r-2>mail", ">requested", "r-3>accepted", "r-3>mail"]
    assert worlds.differences == [Difference("cents", 10, 9)]
    assert told(worlds.only_actual) == [">requested", "r-1>accepted", "r-1>mail", "r-2>refused"]
    assert told(worlds.only_imagined) == ["r-2>accepted", "r-2>mail"]


def test_a_changed_request_is_answered_anew_and_answers_keep_their_names() -> None:
    worlds = what_if(ACTUAL, SUM, {"r-1": Event(type="requested", data={"cents": 11})}, {"requested": accept_up_to(10)})
    assert told(worlds.imagined)[:2] == [">requested", "r-1>refused"]
    assert worlds.imagined[0].identity == ("/shop", "r-1")
    smaller = what_if(ACTUAL, SUM, {"r-3": Event(type="requested", data={"cents": 3})}, {"requested": accept_up_to(10)})
    assert [event.id for event in smaller.imagined] == [event.id for event in ACTUAL]
    assert smaller.differences == [Difference("cents", 10, 9)]


def test_without_handlers_only_the_consequences_of_what_did_not_happen_go() -> None:
    worlds = what_if(ACTUAL, SUM, {"r-1": None})
    assert told(worlds.imagined) == [">requested", "r-2>refused", ">requested", "r-3>accepted", "r-3>mail"]
    assert worlds.differences == [Difference("cents", 10, 4)]


def test_consequences_of_consequences_go_as_well() -> None:
    chain = [Event(type="t", id=str(n), source="/s", cause_id=str(n - 1) if n else None) for n in range(5)]
    assert [event.id for event in branch(chain, {"1": None})] == ["0"]


def test_a_change_of_an_unknown_event_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="there is no event 'r-9'"):
        branch(ACTUAL, {"r-9": None})


@pytest.mark.rule("ES-09")
@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda context: context.draw("coin"), "random number for 'coin'"),
        (lambda context: context.pause(2.0), "waits for 2.0 s"),
        (lambda context: context.now_s, "asks for the time"),
    ],
)
def test_es09_a_handler_that_needs_the_world_cannot_be_replayed(call: object, what: str) -> None:
    with pytest.raises(StateError, match=what):
        redecide(ACTUAL, {"requested": lambda event, context: call(context)})  # type: ignore[operator]


def test_published_events_count_as_returned() -> None:
    def handler(event: Event, context: ReplayContext) -> Event:
        context.publish(Event(type="accepted", data=event.data))
        context.publish(None)
        return Event(type="mail", data={"to": "x"})

    assert [decision.is_changed for decision in redecide(ACTUAL, {"requested": handler})] == [False, True, False]


@pytest.mark.rule("ES-02")
def test_es02_a_run_answered_by_the_same_code_gives_the_same_decisions() -> None:
    from edasim.scenarios.registration.handlers import decide_and_ask

    run = Registration(users_per_s=5.0, spam_ratio=0.3).run(seed=1, until_s=20.0)
    decided = {event.cause_id for event in run.events() if event.type in (ACCEPTED, REJECTED)}
    decisions = [one for one in redecide(run.events(), {REQUESTED: decide_and_ask}) if one.event.id in decided]
    assert len(decisions) > 50
    assert not [decision for decision in decisions if decision.is_changed]


def test_corrected_code_shows_which_decisions_of_a_run_change() -> None:
    from edasim.scenarios.registration.handlers import decide_and_ask

    def stricter(event: Event, context: ReplayContext) -> list[Event]:
        if event.data["email"].endswith("7@mail.example"):
            return [
                Event(type=REJECTED, subject=event.subject, data={**event.data, "reasons": ["a suspicious address"]})
            ]
        return decide_and_ask(event, context)  # type: ignore[arg-type]

    run = Registration(users_per_s=5.0, spam_ratio=0.0).run(seed=1, until_s=20.0)
    decided = {event.cause_id for event in run.events() if event.type in (ACCEPTED, REJECTED)}
    changed = [
        one for one in redecide(run.events(), {REQUESTED: stricter}) if one.is_changed and one.event.id in decided
    ]
    suspicious = [
        e
        for e in run.events()
        if e.type == REQUESTED and e.id in decided and e.data["email"].endswith("7@mail.example")
    ]
    assert [decision.event.id for decision in changed] == [event.id for event in suspicious]
    assert len(suspicious) >= 5
    assert {tuple(type_ for type_, *_ in decision.recorded) for decision in changed} == {(ACCEPTED, MAIL_REQUESTED)}
    assert {tuple(type_ for type_, *_ in decision.now) for decision in changed} == {(REJECTED,)}
