"""Bugs of storage: what is needed later is not there any more, or was never looked at.

A process forgets what is in its memory, a queue what is older than it was told to keep (RMQ-20), and a new consumer
group begins where it was told to, by default at the end of the log (KAF-21). Left out: disks that break.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any

from ... import checks, failures
from ...brokers import Kafka, MemoryBus, RabbitMQ, Topology
from ...brokers.kafka import OffsetReset
from ...events import Event
from ...failures import Crash, Fault, Verdict, check_faults
from ...kernel import Simulation, times
from ...services import Context, Service, Source, load
from ...services.source import Occasion
from ..base import Scenario
from .acknowledging import SHIPPED, WAREHOUSE, Shipping
from .record import Species

WEB, MAIL, AUDIT, ASKED, OPENED = "web", "mail", "audit", "mail.asked", "link.opened"
TOPOLOGY = Topology(name="mails", publishes={WEB: (ASKED,)}, consumes={AUDIT: (ASKED,)})


def _mail(occasion: Occasion) -> Event:
    return Event(type=ASKED, subject=f"mail-{occasion.number}", data={"mail": occasion.number})


class Keeps(enum.Enum):
    """Where the mail service keeps the mails that it has sent."""

    DISK = "on disk"
    MEMORY = "in memory"


@checks.configuration
class Mailing(Scenario):
    """A mail service sends mails and keeps them; 1 s later, on average, a reader opens the link to see the mail."""

    keeps: Keeps = checks.word(Keeps, default=Keeps.DISK)
    mails: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Who opens the link sees the mail; everybody does."""
        return (failures.eventually("mail_shown", after="mail_sent", by="mail", within_s=20.0),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a topic, and the mail service; keeps what is on its `disk`."""
        topic = MemoryBus().start(sim).topic("mails")
        disk: dict[Any, str] = {}
        opens_s = times.Exponential(mean_s=1.0).draws(sim.streams.generator("readers/open"))

        def work(event: Event, context: Context) -> None:
            kept = disk if self.keeps is Keeps.DISK else context.node.memory
            mail = event.data["mail"]
            if event.type == ASKED:
                kept[mail] = f"Welcome, reader {mail}"
                context.fact("mail_sent", mail=mail)
                opened = event.follow(type=OPENED, subject=event.subject, data=event.data)
                sim.at(context.now_s + opens_s(), partial(topic.publish, opened, publisher="readers"))
            elif mail in kept:
                context.fact("mail_shown", mail=mail)
            else:
                context.fact("page_not_found", mail=mail)

        Service(MAIL, of=topic.subscribe(MAIL), handler=work, service_time=times.Constant(value_s=0.02))
        Source(WEB, load=load.Poisson(rate_per_s=5.0).first(self.mails), to=topic, event=_mail)
        for fault in self.faults:
            fault.install(sim)
        return {"disk": disk}


@checks.configuration
class Auditing(Scenario):
    """An audit reads mails from a Kafka topic, as a new group: it has joined after half a second."""

    begins_at: OffsetReset = checks.word(OffsetReset, default=OffsetReset.EARLIEST)
    mails: int = checks.at_least(1, default=20)
    faults: tuple[Fault, ...] = checks.checked(check_faults, default=())

    @property
    def topology(self) -> Topology:
        """Who publishes and consumes what."""
        return TOPOLOGY

    @property
    def promises(self) -> tuple[failures.Promise, ...]:
        """Every mail is seen."""
        return (failures.at_least_once(to=AUDIT),)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """A source, a topic, and a group of one."""
        kafka = Kafka(initial_rebalance_delay_s=0.5, static_members=True, commit="after_each").start(sim)
        topic = kafka.topic(ASKED)
        group = kafka.group(AUDIT, [topic], auto_offset_reset=self.begins_at)
        Service(AUDIT, of=group, service_time=times.Constant(value_s=0.05))
        Source(WEB, load=load.Poisson(rate_per_s=5.0).first(self.mails), to=topic, event=_mail)
        for fault in self.faults:
            fault.install(sim)
        return {}


SPECIES = (
    Species(
        name="keeps it in memory",
        what="It keeps what it will be asked for in memory, and a restart forgets it.",
        rule="RP-13",
        mutant=Mailing(keeps=Keeps.MEMORY),
        twin=Mailing(),
        breaks="mail_shown 20 s after mail_sent at the latest for each mail",
        verdict=Verdict.STUCK,
        dangers=(Crash(node=MAIL, at_s=0.0, down_s=0.3),),
        seeds=5,
    ),
    Species(
        name="expires too soon",
        what="Its queue keeps a message for 0.4 s, which is less than an outage of its consumer.",
        rule="RMQ-20",
        mutant=Shipping(broker=RabbitMQ(prefetch=1, message_ttl_s=0.4)),
        twin=Shipping(broker=RabbitMQ(prefetch=1)),
        breaks=SHIPPED,
        verdict=Verdict.LOST,
        dangers=(Crash(node=WAREHOUSE, at_s=0.0, down_s=0.6),),
    ),
    Species(
        name="begins at the end",
        what="Its group is new and begins at the end of the log, so it passes over what was there before it came.",
        rule="KAF-21",
        mutant=Auditing(begins_at=OffsetReset.LATEST),
        twin=Auditing(),
        breaks="at least once to audit",
        verdict=Verdict.LOST,
        dangers=(Crash(node=AUDIT, at_s=0.0, down_s=0.3),),
        needs_fault=False,
        seeds=5,
    ),
)
"""All of them: it was there, and it is not where it is looked for."""
