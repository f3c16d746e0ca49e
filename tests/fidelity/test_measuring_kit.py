"""The measuring kit: with a broker inside this process, and with clients and brokers that are not there."""

import importlib.util
import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from edasim.brokers import calibrate
from edasim.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "data" / "measured" / "rabbitmq_mm1_load80_a.csv.gz"


@pytest.fixture(scope="module")
def kit() -> Iterator[SimpleNamespace]:
    """The modules of tools/measure under the name of a package."""
    folder = ROOT / "tools" / "measure"
    spec = importlib.util.spec_from_file_location(
        "measuring_kit", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["measuring_kit"] = package
    spec.loader.exec_module(package)
    names = ("errors", "plan", "recorder", "__main__", "rabbitmq", "activemq", "nats", "kafka")
    yield SimpleNamespace(**{name.strip("_"): importlib.import_module(f"measuring_kit.{name}") for name in names})
    for name in [name for name in sys.modules if name.startswith("measuring_kit")]:
        del sys.modules[name]


class Bus:
    """A queue inside this process; what is published in `lost` does not arrive, what is in `twice` comes again."""

    name, default_port = "Bus", 1

    def __init__(self, port: int, lost: tuple[int, ...] = (), twice: tuple[int, ...] = ()) -> None:
        self.port, self.lost, self.twice = port, lost, twice
        self.messages: queue.Queue[tuple[int, bool]] = queue.Queue()
        self.cleaned = False

    def prepare(self, plan: Any) -> None:
        self.plan = plan

    @contextmanager
    def publisher(self) -> Iterator[Any]:
        def publish(sequence: int) -> None:
            if sequence not in self.lost:
                self.messages.put((sequence, False))
            if sequence in self.twice:
                self.messages.put((sequence, True))

        yield publish

    def consume(self, consumer: Any) -> None:
        consumer.ready.set()
        while not consumer.stopped:
            try:
                sequence, again = self.messages.get(timeout=0.02)
            except queue.Empty:
                continue
            consumer.work(sequence, again=again)

    def clean_up(self) -> None:
        self.cleaned = True


def quick(kit: SimpleNamespace, **settings: Any) -> Any:
    return kit.plan.Plan(**{"messages": 40, "mean_service_s": 0.002, "load": 0.9, "consumers": 2} | settings)


class TestARun:
    def test_the_table_has_the_columns_of_the_measured_ones_and_can_be_calibrated(self, kit, tmp_path, capsys):
        told = ["rabbitmq", "--messages", "60", "--mean-service-s", "0.003", "--load", "50", "--output"]
        path = tmp_path / "bus.csv.gz"
        assert kit.main.main([*told, str(path)], choose=lambda name: Bus) == 0
        table = pd.read_csv(path)
        assert list(table.columns) == list(pd.read_csv(MEASURED, nrows=1).columns)
        assert sorted(table["sequence"]) == list(range(60))
        assert table["started_s"].is_monotonic_increasing
        assert (table["finished_s"] - table["started_s"] >= table["planned_service_s"] - 2e-6).all()
        assert "hand-over" in capsys.readouterr().out
        assert calibrate(path, least_waiting=10).mean_service_s >= 0.002

    def test_each_delivery_is_a_row_and_a_repeated_one_says_so(self, kit):
        bus = Bus(1, twice=(3, 5))
        rows = pd.DataFrame(kit.recorder.measure(bus, quick(kit)), columns=kit.recorder.COLUMNS)
        assert len(rows) == 42
        assert set(rows["consumer"]) == {0, 1}
        assert sorted(rows[rows["redelivered"] == 1]["sequence"]) == [3, 5]
        assert bus.cleaned

    def test_a_plan_is_its_seed(self, kit):
        plan, other = quick(kit, messages=500, load=0.5), quick(kit, messages=500, load=0.5, seed=2)
        assert (plan.arrivals_s() == quick(kit, messages=500, load=0.5).arrivals_s()).all()
        assert (plan.services_s() != other.services_s()).all()
        assert plan.rate_per_s == 500.0
        assert plan.describe().startswith("500 messages, 500.0 a second, services of 2 ms (scv 1), 2 consumers")


class TestWhatGoesWrong:
    def test_missing_messages_end_the_run_with_their_number(self, kit):
        bus = Bus(1, lost=(7,))
        with pytest.raises(kit.errors.MeasuringError, match=r"did not receive all messages within 0\.1 s: 39"):
            kit.recorder.measure(bus, quick(kit), patience_s=0.1)
        assert bus.cleaned

    def test_what_a_consumer_raises_ends_the_run(self, kit, monkeypatch):
        monkeypatch.setattr(Bus, "consume", lambda self, consumer: 1 / 0)
        with pytest.raises(kit.errors.MeasuringError, match=r"consumer 0 broke off \(ZeroDivisionError: division"):
            kit.recorder.measure(Bus(1), quick(kit, consumers=1))

    def test_what_the_publisher_raises_is_told_although_cleaning_up_fails_too(self, kit, monkeypatch):
        def closed(self: Bus, item: Any) -> None:
            raise OSError("closed")

        monkeypatch.setattr(Bus, "clean_up", lambda self: 1 / 0)
        bus = Bus(1)
        bus.messages.put = closed.__get__(bus)
        with pytest.raises(
            kit.errors.MeasuringError, match=r"the publisher, at message 0, broke off \(OSError: closed"
        ):
            kit.recorder.measure(bus, quick(kit))

    @pytest.mark.parametrize(
        ("broker", "module", "package"),
        [
            ("rabbitmq", "pika", "pika"),
            ("activemq", "stomp", "stomp.py"),
            ("nats", "nats", "nats-py"),
            ("jetstream", "nats", "nats-py"),
            ("kafka", "confluent_kafka", "confluent-kafka"),
        ],
    )
    def test_a_client_that_is_not_installed_is_named_with_what_installs_it(
        self, kit, monkeypatch, capsys, broker: str, module: str, package: str
    ):
        monkeypatch.setitem(sys.modules, module, None)
        assert kit.main.main([broker]) == 1
        told = capsys.readouterr().err
        assert f"error: the client {package} is not installed; install it: pip install {package}" in told

    def test_a_broker_that_does_not_answer_is_named_with_its_port_and_the_manual(self, kit, monkeypatch, capsys):
        class RefusedError(Exception):
            pass

        def refuse(parameters: Any) -> Any:
            raise RefusedError("refused")

        pika = ModuleType("pika")
        pika.exceptions = SimpleNamespace(AMQPConnectionError=RefusedError)
        pika.ConnectionParameters, pika.BlockingConnection = SimpleNamespace, refuse
        monkeypatch.setitem(sys.modules, "pika", pika)
        assert kit.main.main(["rabbitmq", "--port", "5999"]) == 1
        told = capsys.readouterr().err
        assert (
            "RabbitMQ does not answer on 127.0.0.1:5999 (RefusedError: refused); start it as docs/MEASURING.md" in told
        )

    def test_a_wrong_option_and_a_missing_folder_are_refused_before_the_run(self, kit, capsys):
        assert kit.main.main(["nats", "--load", "-1"], choose=lambda name: Bus) == 1
        assert kit.main.main(["nats", "--output", "/no/such/folder/x.csv"], choose=lambda name: Bus) == 1
        told = capsys.readouterr().err
        assert "Plan.load is -1.0; give a positive, finite number" in told
        assert "there is no folder /no/such/folder; make it first" in told
        with pytest.raises(ConfigurationError, match=r"Plan.held is 0; give a whole number of at least 1"):
            quick(kit, held=0)
