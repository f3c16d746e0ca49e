"""The picture of a fleet, and its lab."""

from edasim import labs, viz
from edasim.governance import OutlierDetection, Probe, Registry, RoundRobin
from edasim.labs import fleet_lab
from edasim.scenarios import Fleet
from edasim.services.calls import Discovery, Protections

SMALL = {"requests_per_s": 20.0, "mean_service_s": 0.1, "trouble": "crash"}


def drawn(discovery, *, pinned=None, **given):
    protections = Protections(balancing=RoundRobin(panic_ratio=0.0), discovery=discovery)
    run = Fleet(protections=protections, **{**SMALL, **given}).run(seed=1, until_s=100.0)
    return viz.fleet_svg(run, "users", pinned), run


def test_it_tells_the_truth_and_what_the_client_believes():
    picture, run = drawn(Discovery(probe=Probe(), spread=False))
    lines = picture.text.splitlines()
    assert lines[1].startswith(
        "shop/0: down from 20 s to 80 s. Believed: in service until 40 s, ill by probes until 80 s, "
    )
    assert lines[2].startswith("shop/1: well. Believed: in service until 100 s.")
    assert ">down</text>" in picture.svg
    again = drawn(Discovery(probe=Probe(), spread=False), pinned=run)[0]
    assert again.text.splitlines()[-1].startswith("Pinned, in grey: failed requests: ")


def test_ejections_and_stale_views_are_beliefs_too():
    passive = OutlierDetection(most_ratio=0.2, by_success_rate=False, base_s=100.0)
    assert ", ejected until 100 s" in drawn(Discovery(outliers=passive))[0].text
    registry = Registry(self_preservation=False, renewal_ratio=0.0, ttl_s=10.0, renew_s=5.0, sweep_s=5.0)
    assert "not in the view until" in drawn(Discovery(registry=registry))[0].text


def test_slow_instances_and_panics_are_told():
    assert "shop/0: slow from 20 s to 80 s." in drawn(Discovery(probe=Probe()), trouble="slow")[0].text
    text = labs.fleet.draw(trouble=fleet_lab.PANIC).text
    assert "panic begins: health is not believed." in text
    assert "panic ends: health is believed again." in text


def test_the_lab_shows_each_trouble_and_its_numbers():
    for trouble in (fleet_lab.CRASH, fleet_lab.PASSIVE, fleet_lab.SLOW, fleet_lab.DEEP):
        assert labs.fleet.draw(trouble=trouble).text
    run = fleet_lab.simulate({"period_s": 10, "threshold": 3, "balancing": "random", "trouble": fleet_lab.SLOW}, 1)
    assert fleet_lab.slow_answer_s(run) > 2.0
