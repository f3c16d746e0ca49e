"""The registration case as a scenario: who takes part, how fast, on which broker, with which faults.

User management publishes a registration request. Behaviour analytics checks it for spam and publishes the decision; if
it accepts, it also asks for a welcome mail. User management writes the user to its database. The mail service caches
the mail as a file, then sends it over a network; when the reader opens the link in it, the mail service reads the
cached mail and shows it. Left out: passwords, a user interface, bounced mail.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any

from ... import checks, failures
from ...brokers import MemoryBus, Topology
from ...brokers.base import Capability, require
from ...errors import ConfigurationError
from ...events import Event
from ...failures import Fault, check_faults
from ...kernel import Simulation, times
from ...network import Link, RunningLink
from ...services import Acknowledge, Service, Source, load
from ...services.arrivals import check_arrivals
from ...services.handling import Publishing
from ...services.mail import MailCache, MailProvider
from ...services.user_database import UserDatabase
from ..base import Scenario
from .handlers import (
    ACCEPTED,
    LINK_OPENED,
    MAIL_REQUESTED,
    MAIL_SHOWN,
    REJECTED,
    MailService,
    Sender,
    UserManagement,
    Writing,
    decide,
    decide_and_ask,
    relay,
)  # fmt: skip
from .people import REQUESTED, sign_ups

USERS, ANALYTICS, MAIL, READERS, RELAY = "user-management", "behaviour-analytics", "mail", "readers", "relay"

TOPOLOGY = Topology(
    name="registration",
    publishes={
        USERS: (REQUESTED,),
        ANALYTICS: (ACCEPTED, REJECTED, MAIL_REQUESTED),
        READERS: (LINK_OPENED,),
        MAIL: (MAIL_SHOWN,),
    },
    consumes={
        ANALYTICS: (REQUESTED,),
        USERS: (ACCEPTED, REJECTED),
        MAIL: (MAIL_REQUESTED, LINK_OPENED),
        READERS: (MAIL_SHOWN,),
    },
)


ASKING = Topology(
    name="registration",
    publishes={**TOPOLOGY.publishes, USERS: (REQUESTED, MAIL_REQUESTED), ANALYTICS: (ACCEPTED, REJECTED)},
    consumes=TOPOLOGY.consumes,
)
"""The same where user management asks for the mail."""


class Promise(enum.Enum):
    """What the case promises its users if a process dies: it decides what a broker must be able to do."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


STORY = (Capability.PUBLISH_SUBSCRIBE, Capability.COMPETING_CONSUMERS, Capability.FILTERING)
"""Without these the story cannot be told at all."""

NEEDS = {
    Promise.AT_LEAST_ONCE: (*STORY, Capability.ACKNOWLEDGEMENT, Capability.REDELIVERY),
    Promise.AT_MOST_ONCE: STORY,
}
INSTEAD = 'choose a broker that can, or say promise="at_most_once": then what a crash catches is lost'


def _has_no_row(page: Any) -> bool:
    return not page.user_exists


@checks.configuration
class Registration(Scenario):
    """Sign-up, decision, user row, welcome mail, confirmation, on a broker of your choice.

    `users_per_s` sign up (a Poisson process, or by `arrivals`, such as a recording; `users` of them and then no more,
    or without end), a share of `spam_ratio` is spam. The mail service writes a mail's file in `caching_s`, and needs
    `connecting_s` before each sending; what it has sent arrives even if it dies. `mail_link` is the network to the mail
    provider and back; without an answer the mail service tries again after `answer_timeout_s`, `send_attempts` times in
    all, and then refuses the request. A share of `opens_ratio` opens the link, `opening` after the mail arrived.
    `acknowledge` and `sender` say how careful the mail service is, `writing` who asks for the mail, and how that is
    held together with the user's row. `promise` is what the broker has to keep: one that
    cannot redeliver is refused before the run, unless you promise no more than "at_most_once". `database` and
    `mail_folder` are paths that do not exist yet; without them the database is in memory and the folder a temporary
    one. `faults` act on nodes, the broker, and by their names on "user database", "mail folder", "mail link" and "mail
    answers". Times are distributions of `eda.times`.

    >>> run = Registration(users_per_s=5.0, users=10, spam_ratio=0.0).run(seed=1)
    >>> run.kept["users"].count(), len(run.kept["mails"].ids())
    (10, 10)
    """

    users_per_s: float = checks.positive(default=20.0)
    arrivals: load.Arrivals | None = checks.optional(check_arrivals, default=None)
    users: int | None = checks.optional(checks.check_whole(1), default=None)
    spam_ratio: float = checks.ratio(default=0.1)
    broker: Any = checks.kind(object, "a broker, such as MemoryBus()", default=MemoryBus())
    analytics_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.02))
    analytics_nodes: int = checks.at_least(1, default=1)
    database_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.01))
    user_management_nodes: int = checks.at_least(1, default=1)
    caching_s: float = checks.positive(default=0.005)
    connecting_s: float = checks.non_negative(default=0.0)
    mail_link: Link = checks.kind(
        Link,
        "a Link(latency=…, loss_ratio=…)",
        default=Link(latency=times.LogNormal(mean_s=0.05, scv=1.0), loss_ratio=0.01),
    )
    mail_nodes: int = checks.at_least(1, default=2)
    mails_at_once: int = checks.at_least(1, default=2)
    answer_timeout_s: float = checks.positive(default=1.0)
    send_attempts: int = checks.at_least(1, default=5)
    opens_ratio: float = checks.ratio(default=0.7)
    opening: times.Times = checks.checked(times.check_times, default=times.LogNormal(mean_s=5.0, scv=4.0))
    acknowledge: Acknowledge = checks.word(Acknowledge, default=Acknowledge.AFTER_HANDLING)
    sender: Sender = checks.word(Sender, default=Sender.PLAIN)
    writing: Writing = checks.word(Writing, default=Writing.APART)
    promise: Promise = checks.word(Promise, default=Promise.AT_LEAST_ONCE)
    database: str | None = checks.optional(checks.check_text, default=None)
    mail_folder: str | None = checks.optional(checks.check_text, default=None)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    def check(self) -> None:
        """The broker can be started."""
        if isinstance(self.broker, type) or not hasattr(self.broker, "start"):
            raise ConfigurationError(
                f"Registration.broker is {self.broker!r}",
                field="Registration.broker",
                value=self.broker,
                remedy="give a broker, such as MemoryBus()",
            )

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY if self.writing is Writing.APART else ASKING

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every request is decided, every accepted user has a row and gets one mail (or at most one).

        Where user management asks for the mail, nobody is shown a page before the row is there.
        """
        if self.promise is Promise.AT_MOST_ONCE:
            return (failures.at_most_once(to=MAIL, type=MAIL_REQUESTED, effect="mail_arrived", by="user_id"),)
        decided_and_written = (
            failures.at_least_once(to=ANALYTICS),
            failures.at_least_once(to=USERS, type=ACCEPTED, effect="user_written"),
        )
        if self.writing is Writing.APART:
            one_mail = failures.exactly_once(to=MAIL, type=MAIL_REQUESTED, effect="mail_arrived", by="user_id")
            return (*decided_and_written, one_mail)
        return (
            *decided_and_written,
            failures.exactly_once(to=USERS, type=ACCEPTED, effect="mail_arrived", by="user_id"),
            failures.no(_has_no_row, "page for a user without a row", of="mail_shown"),
        )

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The whole system; keeps its `users` (a UserDatabase), `mails` (MailCache), `provider` and `wiring`."""
        broker = self.broker.start(sim)
        promised = self.promise.value.replace("_", " ")
        require(broker, NEEDS[self.promise], f"the registration case, which promises {promised},", INSTEAD)
        wiring = broker.wire(self.topology)
        users, mails, provider = UserDatabase(self.database), MailCache(self.mail_folder), MailProvider()
        sim.parts.update({"user database": users, "mail folder": mails})
        self._add_deciders(sim, wiring, users)
        self._add_mail(sim, wiring, users, mails, provider)
        arrivals = self.arrivals or load.Poisson(rate_per_s=self.users_per_s)
        Source(
            USERS,
            load=arrivals if self.users is None else load.First(load=arrivals, count=self.users),
            to=wiring.destination(USERS),
            event=sign_ups(self.spam_ratio),
        )
        for fault in self.faults:
            fault.install(sim)
        return {"users": users, "mails": mails, "provider": provider, "wiring": wiring}

    def _add_deciders(self, sim: Simulation, wiring: Any, users: UserDatabase) -> None:
        apart = self.writing is Writing.APART
        Service(
            ANALYTICS,
            of=wiring.subscription(ANALYTICS),
            service_time=self.analytics_time,
            nodes=self.analytics_nodes,
            handler=decide_and_ask if apart else decide,
            to=wiring.destination(ANALYTICS),
        )
        Service(
            USERS,
            of=wiring.subscription(USERS),
            service_time=self.database_time,
            nodes=self.user_management_nodes,
            handler=UserManagement(users, self.writing, self._outbox(sim, wiring)).write,
            to=None if apart else wiring.destination(USERS),
        )

    def _outbox(self, sim: Simulation, wiring: Any) -> Publishing | None:
        """The outbox with its relay, if user management has one.

        Its rows are a queue of their own in the user database: they survive, and an unmarked one is taken again.
        """
        if self.writing is not Writing.OUTBOX:
            return None
        rows = MemoryBus(name="outbox").start(sim).topic("outbox")
        Service(RELAY, of=rows.subscribe(RELAY), handler=relay, to=wiring.destination(USERS))
        return Publishing(sim, USERS, rows)

    def _add_mail(
        self, sim: Simulation, wiring: Any, users: UserDatabase, mails: MailCache, provider: MailProvider
    ) -> None:
        mail = MailService(
            cache=mails,
            provider=provider,
            users=users,
            transfer=self._link(sim, "mail link", "network/mail"),
            answer=self._link(sim, "mail answers", "network/mail/answers"),
            arrived=self._readers(sim, wiring),
            sender=self.sender,
            caching_s=self.caching_s,
            connecting_s=self.connecting_s,
            answer_timeout_s=self.answer_timeout_s,
            send_attempts=self.send_attempts,
        )
        Service(
            MAIL,
            of=wiring.subscription(MAIL),
            nodes=self.mail_nodes,
            concurrency=self.mails_at_once,
            handler=mail.handle,
            to=wiring.destination(MAIL),
            acknowledge=self.acknowledge,
        )
        Service(READERS, of=wiring.subscription(READERS))

    def _link(self, sim: Simulation, name: str, stream: str) -> RunningLink:
        """One direction of the network to the mail provider, which faults can disturb by its name."""
        link = sim.parts[name] = RunningLink(self.mail_link.transfers(sim.streams.generator(stream)))
        return link

    def _readers(self, sim: Simulation, wiring: Any) -> Any:
        """What a reader does when a mail arrives: some open the link, after a while; a second copy is not opened."""
        chance = sim.streams.uniform(f"{READERS}/opens")
        delay_s = self.opening.draws(sim.streams.generator(f"{READERS}/opening"))
        to = wiring.destination(READERS)
        opened: set[str] = set()

        def open_link(mail_request: Event) -> None:
            user_id = str(mail_request.subject)
            link = mail_request.follow(
                type=LINK_OPENED, subject=user_id, data={"user_id": user_id, "mail_id": f"welcome-{user_id}"}
            )
            to.publish(link, publisher=READERS)

        def arrived(mail_request: Event) -> None:
            opens, after_s, user_id = chance() < self.opens_ratio, delay_s(), str(mail_request.subject)
            if opens and user_id not in opened:
                opened.add(user_id)
                sim.at(float(sim.env.now) + after_s, partial(open_link, mail_request))

        return arrived
