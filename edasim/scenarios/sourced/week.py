"""A week of a small bank, as events: the same seed gives the same week.

Every account opens on Monday with a payment. After that, customers pay in or ask to withdraw, at random instants and
with random amounts; the bank answers each wish at once. `keep` stores them, one append per event, each recorded at the
event's own time, or later for those that came late. Left out: nights and weekends, which a real bank has.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from ... import checks
from ...events import Event, rfc3339, seconds_since_epoch
from ...sourcing import EventStore
from .accounts import ASKED, CAMPAIGN, PAID_IN, PAID_OUT, decide

MONDAY_S = seconds_since_epoch("2026-11-16T00:00:00Z")
DAY_S = 86_400.0
OPENING_EUR, PAID_IN_EUR, ASKED_EUR = (100, 400), (10, 150), (20, 260)
PAID_IN_RATIO, GOODWILL_RATIO, GOODWILL_EUR = 0.55, 0.01, (5, 25)
CHANNELS = ("/app", "/web", "/branch/1", "/branch/2", "/branch/3")


def week(events: int = 10_000, accounts: int = 200, seed: int = 0, campaign: int = 0) -> list[Event]:
    """So many events of so many accounts "a-0", "a-1"…, Monday to Sunday, in order of time.

    The last `campaign` accounts open with a payment of the campaign, and then rest. Raises `ConfigurationError` for
    fewer than two events per account that does not rest.
    """
    accounts = checks.check_whole(1)("accounts", accounts)
    campaign = checks.check_whole(0)("campaign", campaign)
    if campaign >= accounts:
        raise checks.refuse("campaign", campaign, f"give fewer than accounts = {accounts}")
    if events < 2 * accounts:
        raise checks.refuse("events", events, f"give at least two for each of the {accounts} accounts")
    return list(_Week(events, accounts, campaign, random.Random(f"week/{seed}")).events())


class _Week:
    def __init__(self, events: int, accounts: int, campaign: int, rng: random.Random) -> None:
        self._wanted, self._accounts, self._campaign, self._rng = events, accounts, campaign, rng
        self._balances = dict.fromkeys((f"a-{n}" for n in range(accounts)), 0)
        self._made = 0
        self._time = ""

    def events(self) -> Iterator[Event]:
        rng, active = self._rng, [f"a-{n}" for n in range(self._accounts - self._campaign)]
        for number, account in enumerate(self._balances):
            self._at(number / self._accounts * 0.2)
            note = CAMPAIGN if number >= len(active) else "opening"
            yield self._paid_in(account, rng.randint(*OPENING_EUR), note)
        visits = self._visits()
        for day, dice in zip(sorted(0.2 + 6.8 * rng.random() for _ in visits), visits, strict=True):
            self._at(day)
            account = rng.choice(active)
            if dice >= PAID_IN_RATIO:
                yield from self._withdrawal(account, rng.randint(*ASKED_EUR))
            elif dice >= GOODWILL_RATIO:
                yield self._paid_in(account, rng.randint(*PAID_IN_EUR), "")
            else:
                yield self._paid_in(account, rng.randint(*GOODWILL_EUR), "goodwill")

    def _visits(self) -> list[float]:
        """A number in [0, 1) for each visit, that says what it is for: a payment is one event, a withdrawal two."""
        left, visits = self._wanted - self._accounts, []
        while left:
            dice = self._rng.random()
            visits.append(dice if left > 1 else dice * PAID_IN_RATIO)
            left -= 1 if visits[-1] < PAID_IN_RATIO else 2
        return visits

    def _at(self, day: float) -> None:
        self._time = rfc3339(round(MONDAY_S + DAY_S * day, 3))

    def _event(self, **fields: object) -> Event:
        event = Event(id=f"e-{self._made}", time=self._time, **fields)  # type: ignore[arg-type]
        self._made += 1
        return event

    def _paid_in(self, account: str, eur: int, note: str) -> Event:
        self._balances[account] += eur
        where = self._rng.choice(CHANNELS[2:] if note == "goodwill" else CHANNELS)
        data = {"eur": eur, "note": note} if note else {"eur": eur}
        return self._event(type=PAID_IN, source=where, subject=account, data=data)

    def _withdrawal(self, account: str, eur: int) -> Iterator[Event]:
        asked = self._event(type=ASKED, source=self._rng.choice(CHANNELS), subject=account, data={"eur": eur})
        yield asked
        answer = decide(self._balances[account], asked)
        if answer.type == PAID_OUT:
            self._balances[account] -= eur
        yield self._event(
            type=answer.type, source="/accounts", subject=account, data=answer.data, cause_id=asked.id,
            trace_id=asked.trace_id,
        )  # fmt: skip


def keep(events: Iterable[Event], late_s: Mapping[str, float] | None = None) -> EventStore:
    """A store in memory with these events, each in the stream of its account, recorded at its own time.

    `late_s` by event id says how many seconds later an event was recorded. The actor is the channel that the event
    came from, the reason its note.
    """
    late = dict(late_s or {})
    recorded = sorted(
        ((seconds_since_epoch(str(event.time)) + late.get(str(event.id), 0.0), event) for event in events),
        key=lambda each: each[0],
    )
    now = [0.0]
    store = EventStore(clock=lambda: now[0])
    with store.transaction():
        for now[0], event in recorded:
            note = event.data.get("note")
            store.append(str(event.subject), [event], actor=str(event.source).strip("/"), reason=note)
    return store


def kept_week(events: int = 10_000, accounts: int = 200, seed: int = 0, campaign: int = 0) -> EventStore:
    """A store with a `week`."""
    return keep(week(events, accounts, seed, campaign))


def payments(events: int, seed: int = 0) -> tuple[EventStore, list[int]]:
    """A store with one long stream of payments, appended a thousand at a time, and their amounts in euros."""
    rng = random.Random(f"payments/{seed}")
    amounts = [rng.randint(1, 99) for _ in range(checks.check_whole(1)("events", events))]
    store = EventStore(clock=lambda: 0.0)
    with store.transaction():
        for begin in range(0, events, 1000):
            chunk = amounts[begin : begin + 1000]
            store.append("payments", [Event(type=PAID_IN, data={"eur": eur}) for eur in chunk])
    return store, amounts


def said_at(recorded_s: float) -> str:
    """An instant of the week for people, such as "Tue 10:05"."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=recorded_s):%a %H:%M}"
