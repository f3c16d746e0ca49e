"""Keys and deadlines: what a call hands on to the balancer, and to the servers behind."""

from collections import defaultdict

import pytest

import edasim as eda
from edasim import errors
from edasim.governance import ConsistentHash
from edasim.services.calls import Client, Protections, Server

BY_KEY = Protections(balancing=ConsistentHash())


def click(occasion):
    """Ten users take turns; the extension counts before the subject."""
    user = f"user {occasion.number % 10}"
    return eda.Event(type="click", subject=user, extensions={"partitionkey": "the seventh"} if user[-1] == "7" else {})


def where(run, destination):
    """The instances that each key came to."""
    found = defaultdict(set)
    rows = run.messages()
    for row in rows[rows.destination == destination].itertuples():
        event = run.event(row.event_id)
        found[event.extensions.get("partitionkey") or event.subject].add(row.consumer)
    return found


def test_requests_of_one_key_go_to_one_instance_and_those_of_many_to_all():
    sim = eda.Simulation(seed=1)
    server = Server("carts", sim=sim, instances=3)
    client = Client("shop", of=server, protections=BY_KEY)
    eda.Source("clicks", load=eda.load.Constant(rate_per_s=10.0).first(200), event=click, to=client)
    found = where(sim.run(), "carts")
    assert all(len(instances) == 1 for instances in found.values())
    assert set.union(*found.values()) == set(server.instances)
    ring = ConsistentHash().start(list(server.instances))
    assert found == {key: {ring.pick(key)} for key in [*(f"user {n}" for n in range(10) if n != 7), "the seventh"]}


def test_a_process_says_its_key_and_a_call_without_one_goes_anywhere():
    sim = eda.Simulation(seed=1)
    client = Client("shop", of=Server("carts", sim=sim, instances=3), protections=BY_KEY)

    def ask():
        for _ in range(20):
            yield client.call(key="user 3")
        for _ in range(20):
            yield client.call()

    sim.env.process(ask())
    rows = sim.run().messages()
    consumers = rows[rows.group == "shop"].consumer.tolist()
    assert set(consumers[:20]) == {ConsistentHash().start(["carts/0", "carts/1", "carts/2"]).pick("user 3")}
    assert set(consumers[20:]) == {"carts/0", "carts/1", "carts/2"}
    with pytest.raises(errors.ConfigurationError, match="key"):
        client.call(key=7)


def test_the_servers_behind_are_asked_with_the_key_of_the_request_they_work_for():
    sim = eda.Simulation(seed=1)
    carts = Server("carts", sim=sim, instances=3)
    prices = Server("prices", sim=sim, calls=[Client("prices to carts", of=carts, protections=BY_KEY)])
    web = Server("web", sim=sim, calls=[Client("web to prices", of=prices)])
    shop = Client("shop", of=web)
    assert shop.needs_key
    assert not Client("other", of=carts).needs_key
    picked = []
    for name, instance in carts.instances.items():
        receive = instance.receive
        instance.receive = lambda now_s, attempt, name=name, receive=receive: (
            picked.append((now_s, name)),
            receive(now_s, attempt),
        )[1]
    eda.Source("clicks", load=eda.load.Constant(rate_per_s=10.0).first(30), event=click, to=shop)
    sim.run()
    ring = ConsistentHash().start(list(carts.instances))
    users = ["the seventh" if number % 10 == 7 else f"user {number % 10}" for number in range(30)]
    assert [name for _, name in picked] == [ring.pick(user) for user in users]


def test_nothing_begins_for_a_caller_whose_deadline_is_over():
    sim = eda.Simulation(seed=1)
    database = Server("database", sim=sim, service_time=eda.times.Constant(value_s=0.1))
    api = Server(
        "api", sim=sim, service_time=eda.times.Constant(value_s=1.0), calls=[Client("api to database", of=database)]
    )
    shop = Client("shop", of=api, protections=Protections(deadline_s=1.5))
    eda.Source("users", load=eda.load.Trace(times_s=[0.0, 0.2]), to=shop)
    run = sim.run(until_s=10.0)
    rows = run.messages()
    assert rows[rows.destination == "database"].finished_s.tolist() == [1.1]
    assert run.summary()["shop/requests"].done == 1
    behind = rows[(rows.destination == "api to database") & (rows.consumer == "given up")]
    assert behind[["started_s", "finished_s", "attempt"]].to_numpy().tolist() == [[2.1, 2.1, 0.0]]
