"""Small histories that the tests of the room share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edasim.events import Event
from edasim.sourcing import EventStore, Fold


def event(type_: str = "paid", number: int = 0, **attributes: object) -> Event:
    named = {"id": f"e-{number}", "source": "/shop", "data": {"cents": number}, **attributes}
    return Event(type=type_, **named)  # type: ignore[arg-type]


def balance(version: int = 1) -> Fold:
    return Fold(
        name="balance",
        initial={"cents": 0},
        version=version,
        apply=lambda state, one: {"cents": state["cents"] + one.data["cents"]},
    )


class Clock:
    """Advances by a second each time it is asked."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EventStore:
    return EventStore(None if request.param == "memory" else tmp_path / "history", clock=Clock())


@pytest.fixture
def filled() -> Callable[[int], EventStore]:
    """Makes a store of so many payments on three accounts, a second apart."""

    def fill(events: int) -> EventStore:
        made = EventStore(clock=Clock())
        for number in range(1, events + 1):
            made.append(f"account-{number % 3}", [event(number=number)], actor="teller", reason="a payment")
        return made

    return fill
