"""A SimPy process that receives from a JetStream consumer by hand, beside the declarative service: the same run."""

import pytest
import simpy

from edasim import JetStream, Service, Simulation, Source, load, times

OUTAGES = [(2.125, 3.0), (4.0, 4.5), (9.0, 9.25)]
LAWS = {
    "exponential": (load.Poisson(rate_per_s=40.0), times.Exponential(mean_s=0.02)),
    "clockwork, with an end at each arrival": (load.Constant(rate_per_s=8.0), times.Constant(value_s=0.25)),
    "several at one instant": (
        load.Trace(times_s=[0.0] * 5 + [0.5] * 5 + [0.75, 0.75, 1.0, 1.0] + [2.0] * 5 + [4.0] * 3),
        times.Trace(values_s=[0.25, 0.5, 0.25, 0.0], at_end="repeat"),
    ),
}


def declared(sim, consumer, answers, service_time, workers):
    Service(
        "srv",
        of=consumer,
        service_time=service_time,
        nodes=workers,
        handler=lambda event, context: event.follow(type="answer", data=event.id),
        to=answers,
    )
    for down_s, up_s in OUTAGES:
        sim.at(down_s, sim.node("srv/0").crash)
        sim.at(up_s, sim.node("srv/0").restart)


def by_hand(sim, consumer, answers, service_time, workers):
    draw = service_time.draws(sim.streams.generator("service/srv/service_time"))

    def worker(name):
        while True:
            delivery = yield consumer.receive(consumer=name)
            try:
                yield sim.env.timeout(draw())
            except simpy.Interrupt:
                delivery.hand_back()
                raise
            answers.publish(delivery.event.follow(type="answer", data=delivery.event.id), publisher="srv")
            delivery.ack()

    def with_outages(name):
        while True:
            try:
                yield from worker(name)
            except simpy.Interrupt as crash:
                yield sim.env.timeout(crash.cause)

    processes = [sim.env.process(with_outages(f"srv/{place}")) for place in range(workers)]
    for down_s, up_s in OUTAGES:
        sim.at(down_s, lambda for_s=up_s - down_s: processes[0].interrupt(for_s))


def records(build, law, workers, seed, **settings):
    sim = Simulation(seed=seed)
    server = JetStream().start(sim)
    stream = server.stream("s", subjects=["here", "answers"])
    arrivals, service_time = LAWS[law]
    consumer = stream.consumer("c", filter_subjects="here", **settings)
    build(sim, consumer, server.subject("answers"), service_time, workers)
    Service("reader", of=stream.consumer("reader", filter_subjects="answers"), service_time=service_time)
    Source("src", load=arrivals, to=server.subject("here"))
    table = sim.run(until_s=15.0).messages()
    table["outcome"] = table["outcome"].replace("requeued", "crashed")
    return table


@pytest.mark.parametrize(
    "settings",
    [{"ack_wait_s": 2.0}, {"ack_wait_s": 1.5, "max_ack_pending": 2}, {"backoff_s": [1.0, 3.0], "ack_policy": "all"}],
    ids=str,
)
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("law", LAWS)
def test_by_hand_and_declared_are_the_same_record_for_record(law, workers, settings):
    for seed in range(2):
        hand, service = (records(build, law, workers, seed, **settings) for build in (by_hand, declared))
        assert hand.equals(service)
        assert (service["outcome"] == "done").sum() > 10


def test_the_comparison_has_seen_crashes_and_redeliveries():
    table = records(declared, "clockwork, with an end at each arrival", 3, 0, ack_wait_s=2.0)
    assert {"crashed", "done"} <= set(table["outcome"])
    assert (table["attempt"] > 1).any()
