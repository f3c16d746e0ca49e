"""User management by events: people join, move and leave, and whoever has left is forgotten.

A request is decided on by the state of the member's stream (`sourcing.Decider`): nobody joins twice, and nobody leaves
who is no member. What was decided is told on the bus; a mail service greets and says goodbye, and a view, which lags,
counts members by city. Names and addresses are sealed by member; when somebody leaves, the key is destroyed, so the
stream still says that a person lived in a city for some days, and no longer who (ES-08). Between any two writes a crash
may come; then the request comes again, the decider finds its own answer in the store, and tells it again.

Left out: what the bus carried. A broker that keeps messages has to forget as well; here the log of the run does not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ... import checks
from ...brokers import MemoryBus
from ...events import Event
from ...failures import Fault, check_faults
from ...kernel import LogLevel, Run, Simulation
from ...services import Context, Service, Source, load
from ...services.arrivals import check_arrivals
from ...services.source import Occasion
from ...sourcing import Decider, EventStore, Fold, Projection, View, live
from ..base import Scenario
from .shop import Effects, Receiving, receiver, wrote

MEMBERS, MAIL, PEOPLE = "members", "mail", "people"
JOIN_ASKED, MOVE_ASKED, LEAVE_ASKED = "joining.asked", "moving.asked", "leaving.asked"
JOINED, MOVED, LEFT, MEMBER_REFUSED = "member.joined", "member.moved", "member.left", "member.refused"
PERSONAL = {JOINED: ("name", "email")}
CITIES = ("Kyiv", "Lyon", "Porto", "Turku")
FIRST_NAMES, LAST_NAMES = ("Ada", "Ben", "Chi", "Dana", "Eli"), ("Byron", "Okoye", "Petit", "Silva")


def of_one_member(state: dict[str, Any], event: Event) -> dict[str, Any]:
    """The state of a member after one more of the stream's events."""
    if event.type == JOINED:
        return {"is_member": True, **event.data}
    if event.type == MOVED:
        return {**state, "city": event.data["city"]}
    return {"is_member": False} if event.type == LEFT else state


MEMBER = Fold(name="member", initial={"is_member": False}, apply=of_one_member)
"""One member: whether it is one, and then name, email and city."""


def members_view() -> Projection:
    """The members as a view, a row per person who ever was one."""
    return Projection(
        name="members", initial={"is_member": False}, apply=of_one_member, types=(JOINED, MOVED, LEFT),
        key=lambda event: event.subject,
    )  # fmt: skip


def decide_on_member(state: dict[str, Any], event: Event) -> Event:
    """What follows from a request at a member's state."""
    if event.type == JOIN_ASKED and not state["is_member"]:
        return Event(type=JOINED, subject=event.subject, data=event.data)
    if event.type == MOVE_ASKED and state["is_member"]:
        return Event(type=MOVED, subject=event.subject, data={"city": event.data["city"]})
    if event.type == LEAVE_ASKED and state["is_member"]:
        return Event(type=LEFT, subject=event.subject, data={})
    return Event(type=MEMBER_REFUSED, subject=event.subject, data={"asked": event.type})


@checks.configuration
class Members(Scenario):
    """An event-sourced user management under load, for `lasts_s` seconds.

    `arrivals` are requests of `people`, of which a share of `join_ratio` wants to join and `leave_ratio` to leave; the
    others have moved. The services need `step_s` for each write. The view asks the store every `view_every_s`.
    `receiving` says whether the mail service knows a message again. `faults` are crashes of the nodes "members" and
    "mail".

    >>> run = Members(lasts_s=5.0).run(seed=1)
    >>> run.kept["store"].verify() is None
    True
    """

    arrivals: load.Arrivals = checks.checked(check_arrivals, default=load.Poisson(rate_per_s=5.0))
    people: int = checks.at_least(1, default=100)
    join_ratio: float = checks.ratio(default=0.6)
    leave_ratio: float = checks.ratio(default=0.1)
    receiving: Receiving = checks.word(Receiving, default=Receiving.INBOX)
    step_s: float = checks.positive(default=0.01)
    view_every_s: float = checks.positive(default=0.5)
    lasts_s: float = checks.positive(default=60.0)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """The shares leave room for one another."""
        if self.join_ratio + self.leave_ratio > 1.0:
            raise checks.refuse("Members.leave_ratio", self.leave_ratio, f"give at most {1.0 - self.join_ratio:g}")

    def run(
        self, seed: int = 0, until_s: float | None = None, *, log: str | LogLevel = LogLevel.FULL, one_in: int = 100
    ) -> Run:
        """One run; ends after `lasts_s`, unless `until_s` says otherwise."""
        return super().run(seed, self.lasts_s if until_s is None else until_s, log=log, one_in=one_in)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The whole user management; keeps its `store`, `view` and the mail service's `effects` (mails)."""
        bus = MemoryBus().start(sim)
        requests, facts = bus.topic("requests"), bus.topic("facts")
        store = EventStore(clock=lambda: float(sim.env.now), personal=PERSONAL)
        view, mails = View(store, members_view()), Effects(self.receiving)
        Service(MEMBERS, of=requests.subscribe(MEMBERS), handler=self._members(store), to=facts)
        wanted = facts.subscribe(MAIL, types=(JOINED, LEFT))
        Service(MAIL, of=wanted, handler=receiver(mails, self.step_s, "send"))
        Source(PEOPLE, load=self.arrivals, to=requests, event=self._request)
        live.keep_current(sim, view, every_s=self.view_every_s)
        for fault in self.faults:
            fault.install(sim)
        return {"store": store, "view": view, "effects": mails}

    def _members(self, store: EventStore) -> Callable[[Event, Context], Generator[Any, Any, None]]:
        decider = Decider(MEMBERS, store, MEMBER, decide_on_member)

        def handle(event: Event, context: Context) -> Generator[Any, Any, None]:
            yield context.pause(self.step_s)
            before = store.position
            told = decider.handle(event, context)
            if store.position > before:
                wrote(context, "append", event)
            yield context.pause(self.step_s)
            if told[0].type == LEFT and store.erase(str(event.subject), actor=MEMBERS, reason=f"{LEFT} {told[0].id}"):
                wrote(context, "destroy key", event)
                yield context.pause(self.step_s)
            context.publish(told)
            wrote(context, "publish", event)
            yield context.pause(self.step_s)

        return handle

    def _request(self, occasion: Occasion) -> Event:
        number, dice, where = int(occasion.draw() * self.people), occasion.draw(), occasion.draw()
        city = CITIES[int(where * len(CITIES))]
        if dice < self.join_ratio:
            first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number // 5 % len(LAST_NAMES)]
            person = {"name": f"{first} {last}", "email": f"{first}.{last}.{number}@example.org".lower(), "city": city}
            return Event(type=JOIN_ASKED, subject=f"m-{number}", data=person)
        if dice >= 1.0 - self.leave_ratio:
            return Event(type=LEAVE_ASKED, subject=f"m-{number}", data={})
        return Event(type=MOVE_ASKED, subject=f"m-{number}", data={"city": city})


def joined(*names: str) -> EventStore:
    """A store in memory in which these people joined as "m-0", "m-1"…, and then moved; names and emails are sealed."""
    store = EventStore(personal=PERSONAL, clock=lambda: 0.0)
    for number, name in enumerate(names):
        member, email = f"m-{number}", f"{name.lower().replace(' ', '.')}@example.org"
        person = {"name": name, "email": email, "city": CITIES[number % len(CITIES)]}
        moved = Event(type=MOVED, subject=member, data={"city": CITIES[(number + 1) % len(CITIES)]})
        store.append(member, [Event(type=JOINED, subject=member, data=person), moved], actor=MEMBERS)
    return store


def members_by_city(view: View) -> dict[str, int]:
    """How many members live in each city, as the view knows."""
    found = dict.fromkeys(CITIES, 0)
    for _, state in view.states():
        if state["is_member"]:
            found[state["city"]] += 1
    return found
