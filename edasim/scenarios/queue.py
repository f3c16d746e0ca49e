"""One queue and its servers: the smallest system, on which waiting is learned.

With Poisson arrivals it is the M/G/c queue of `theory` (QT-01, QT-02, QT-05); any load and any service time will do.
"""

from __future__ import annotations

from typing import Any

from .. import checks
from ..brokers import MemoryBus
from ..kernel import Simulation, times
from ..services import Service, Source, load
from .base import Scenario


@checks.configuration
class SingleQueue(Scenario):
    """A source, a subscription and a service with `servers` nodes that share it.

    `arrivals` is a load of `eda.load`, `messages` ends it after so many (None: as long as the load goes on),
    `service_time` a distribution of `eda.times`, `handover_s` the seconds between the end of one message and the start
    of the next, `capacity` bounds those that wait (None: no bound).

    >>> run = SingleQueue(arrivals=load.Constant(rate_per_s=1.0), messages=3).run()
    >>> run.summary()["mail"].done
    3
    """

    arrivals: load.Load = checks.checked(load.check_load, default=load.Poisson(rate_per_s=40.0))
    messages: int | None = checks.optional(checks.check_whole(1), default=None)
    service_time: times.Times = checks.checked(times.check_times, default=times.Exponential(mean_s=0.02))
    servers: int = checks.at_least(1, default=1)
    handover_s: float = checks.non_negative(default=0.0)
    capacity: int | None = checks.optional(checks.check_whole(1), default=None)

    def check(self) -> None:
        """A closed loop of users has no first and no last message."""
        if self.messages is not None and isinstance(self.arrivals, load.Closed):
            remedy = "leave it out: users of a closed load ask for ever, so end the run by until_s"
            raise checks.refuse("SingleQueue.messages", self.messages, remedy)

    def build(self, sim: Simulation) -> dict[str, Any]:
        """The topic "mails", the source "registrations" and the service "mail"."""
        topic = MemoryBus().start(sim).topic("mails")
        mails = topic.subscribe("mail", capacity=self.capacity)
        service = Service(
            "mail", of=mails, service_time=self.service_time, nodes=self.servers, handover_s=self.handover_s
        )
        arrivals = self.arrivals
        if self.messages is not None and not isinstance(arrivals, load.Closed):
            arrivals = load.First(load=arrivals, count=self.messages)
        source = Source("registrations", load=arrivals, to=topic)
        return {"service": service, "source": source}
