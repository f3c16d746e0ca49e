"""What a run keeps beside its log comes back from its file."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edasim import Simulation
from edasim.kernel import Run
from edasim.scenarios import Registration, sourced
from edasim.scenarios.registration import audit
from edasim.services.mail import MailProvider
from edasim.sourcing import EventStore, about_run, check_view, open_run, save_run
from edasim.sourcing.keeping import KeptView
from edasim.sourcing.views import View

from .conftest import event


class Foreign:
    """A class of another program that can tell itself."""

    def saved(self) -> dict[str, Any]:
        return {"n": 7, "raw": b"\x00\xff"}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> "Foreign":
        raise AssertionError(f"made from a file: {told}")


def back(run: Run, path: Path) -> Run:
    save_run(run, path)
    return open_run(path, scenario=None if run.scenario is None else type(run.scenario).from_dict)  # type: ignore[attr-defined]


def test_the_audit_of_a_registration_run_is_the_same_from_its_file(tmp_path: Path) -> None:
    run = Registration(users_per_s=5.0, users=10, spam_ratio=0.3).run(seed=2)
    opened = back(run, tmp_path / "run")
    assert audit(opened) == audit(run)
    users, mails = run.kept["users"], run.kept["mails"]
    for name in ("users", "rejections"):
        assert opened.kept["users"].table(name).equals(users.table(name))
    assert [opened.kept["mails"].read(name) for name in mails.ids()] == [mails.read(name) for name in mails.ids()]
    assert list(about_run(tmp_path / "run")["not_kept"]) == ["wiring"]
    assert opened.kept["provider"].mailboxes == run.kept["provider"].mailboxes


def test_a_provider_knows_the_mails_that_it_knew(tmp_path: Path) -> None:
    provider = MailProvider()
    provider.accept("m-1", "ada@example.org", idempotency_key="k")
    again = back(Simulation().run(until_s=1.0, kept={"provider": provider}), tmp_path / "run").kept["provider"]
    assert not again.accept("m-1", "ada@example.org", idempotency_key="k")
    assert again.mailboxes == {"m-1": 1}


def test_the_stores_of_a_shop_come_back_whole(tmp_path: Path) -> None:
    run = sourced.Shop(lasts_s=10.0).run(seed=1)
    opened = back(run, tmp_path / "run")
    store, again = run.kept["store"], opened.kept["store"]
    assert sourced.books(opened) == sourced.books(run)
    assert (again.seal(), again.verify(), list(again.read())) == (store.seal(), None, list(store.read()))
    assert again.append("more", [event()]).position == store.position + 1
    assert again.at(again.position).recorded_s == store.at(store.position).recorded_s
    assert again.verify() is None


def test_views_come_back_as_what_they_answered_and_personal_fields_stay_sealed(tmp_path: Path) -> None:
    run = sourced.Members(people=10, lasts_s=20.0).run(seed=1)
    opened = back(run, tmp_path / "run")
    view, kept = run.kept["view"], opened.kept["view"]
    assert list(kept.states()) == list(view.states())
    assert (kept.name, kept.position, kept.lag, kept.parked()) == ("members", view.position, view.lag, [])
    assert kept.state("nobody") == {"is_member": False} == view.state("nobody")
    assert sourced.members_by_city(kept) == sourced.members_by_city(view)
    assert list(opened.kept["store"].read()) == list(run.kept["store"].read())
    fresh = View(opened.kept["store"], sourced.members_view())
    fresh.catch_up()
    check_view(fresh)
    save_run(opened, tmp_path / "again")
    assert isinstance(open_run(tmp_path / "again").kept["view"], KeptView)


def test_the_reads_and_statements_of_a_bank_come_back(tmp_path: Path) -> None:
    run = sourced.Bank(lasts_s=10.0, accounts=5, replayed=20, replay_from_s=1.0).run(seed=1)
    opened = back(run, tmp_path / "run")
    assert opened.kept["reads"] == run.kept["reads"]
    assert opened.kept["statements"] == run.kept["statements"]
    assert sourced.stale_ratio(opened) == sourced.stale_ratio(run)


def test_plain_values_foreign_classes_and_what_has_no_form(tmp_path: Path) -> None:
    kept = {"count": 7, "text": "ä", "parts": [1, {"a": None}], "pair": (1, 2), "open": object(), "foreign": Foreign()}
    run = Simulation().run(until_s=1.0, kept=kept)
    opened = back(run, tmp_path / "run")
    assert opened.kept == {
        "count": 7, "text": "ä", "parts": [1, {"a": None}], "foreign": {"n": 7, "raw": b"\x00\xff"},
    }  # fmt: skip
    assert about_run(tmp_path / "run")["not_kept"] == {"pair": "builtins:tuple", "open": "builtins:object"}


def test_a_file_of_the_first_format_has_a_log_and_nothing_else(tmp_path: Path) -> None:
    run = sourced.Shop(lasts_s=2.0).run(seed=1)
    save_run(run, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run") as connection:
        connection.execute("drop table run_stores")
        connection.execute("update run_about set value = '1' where name = 'format'")
    connection.close()
    opened = open_run(tmp_path / "run")
    assert (opened.fingerprint(), opened.kept) == (run.fingerprint(), {})


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_an_image_of_a_store_is_the_store(kind: str, tmp_path: Path) -> None:
    store = EventStore(None if kind == "memory" else tmp_path / "h", personal={"paid": ("cents",)})
    store.append("a", [event(number=n, subject="s") for n in range(5)])
    again = EventStore.restored(store.saved())
    assert list(again.read()) == list(store.read())
    assert again.erase("s")
    assert {one.event.data["cents"] for one in again.read(types=("paid",))} == {"[erased]"}
    assert store.at(1).event.data["cents"] == 0
