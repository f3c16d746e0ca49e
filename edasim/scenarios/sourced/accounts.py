"""Accounts as events: what can happen to one, what follows from it, and who decides on a withdrawal.

A balance is nowhere stored; it is the fold of what was paid in and out (ES-02). A wish to withdraw is an event as well,
and the decision on it is another one that names it as its cause: so the decision of that day stays on record, whatever
the rule says later. Amounts are whole euros. Left out: everything else that an account has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...events import Event
from ...sourcing import Fold, Projection

PAID_IN, ASKED, PAID_OUT, REFUSED = "money.paid_in", "withdrawal.asked", "money.paid_out", "withdrawal.refused"
CAMPAIGN = "campaign"
"""The note of payments that a campaign brought; the hasty view counts them twice."""


def of_one_account(state: dict[str, int], event: Event) -> dict[str, int]:
    """The state of an account after one more of its events."""
    eur = event.data["eur"]
    if event.type == PAID_IN:
        return {**state, "eur": state["eur"] + eur, "paid_in": state["paid_in"] + eur}
    if event.type == PAID_OUT:
        return {**state, "eur": state["eur"] - eur, "paid_out": state["paid_out"] + eur}
    if event.type == REFUSED:
        return {**state, "refused": state["refused"] + 1}
    return state


def of_all_accounts(state: dict[str, int], event: Event) -> dict[str, int]:
    """Every account's balance after one more event; changes the dictionary that it is given, which is its own."""
    account = str(event.subject)
    state[account] = balance(state.get(account, 0), event)
    return state


def balance(eur: int, event: Event) -> int:
    """A balance after one more event of its account."""
    if event.type == PAID_IN:
        return eur + int(event.data["eur"])
    return eur - int(event.data["eur"]) if event.type == PAID_OUT else eur


def hasty_balance(eur: int, event: Event) -> int:
    """As `balance`, with the bug of chapter 08: a payment of the campaign counts twice."""
    if event.type == PAID_IN and event.data.get("note") == CAMPAIGN:
        return eur + 2 * int(event.data["eur"])
    return balance(eur, event)


MOVES = (PAID_IN, PAID_OUT)
ACCOUNT = Fold(
    name="account", initial={"eur": 0, "paid_in": 0, "paid_out": 0, "refused": 0}, apply=of_one_account
)  # fmt: skip
"""One account: its balance, what came and went, and how often it was refused."""

BALANCES = Fold(name="balances", initial={}, apply=of_all_accounts, types=MOVES)
"""The whole bank: the balance of each account."""


TOTAL = Fold(name="total", initial=0, apply=balance, types=MOVES)
"""All that came in, less all that went out."""


def subject_of(event: Event) -> str:
    """The account that an event concerns."""
    return str(event.subject)


def balance_view(version: int = 2) -> Projection:
    """The balances as a view, a row per account."""
    return Projection(name="balances", initial=0, apply=balance, types=MOVES, key=subject_of, version=version)


def hasty_balance_view(version: int = 1) -> Projection:
    """The same view with the bug: the campaign's payments count twice."""
    return Projection(name="balances", initial=0, apply=hasty_balance, types=MOVES, key=subject_of, version=version)


def last_seen_view(when_s: Callable[[Event], float], version: int = 1) -> Projection:
    """When each customer was last seen, in seconds since 1970, as `when_s(event)` says; a row per account."""
    return Projection(
        name="last seen", initial=0.0, apply=lambda _, event: when_s(event), key=subject_of, version=version
    )  # fmt: skip


def decide(eur: int, event: Event, overdraft_eur: int = 0) -> Event:
    """What follows from a wish to withdraw at a balance: paid out, if no more than `overdraft_eur` are then owed."""
    asked = int(event.data["eur"])
    allowed = eur - asked >= -overdraft_eur
    return Event(type=PAID_OUT if allowed else REFUSED, subject=event.subject, data={"eur": asked})


def bank_handler(overdraft_eur: int = 0) -> dict[str, Callable[[Event, Any], Event]]:
    """The handler of withdrawals by type, for `sourcing.redecide` and `what_if` over the state of `BALANCES`."""
    return {ASKED: lambda event, context: decide(context.state.get(event.subject, 0), event, overdraft_eur)}


def account_handler(overdraft_eur: int = 0) -> dict[str, Callable[[Event, Any], Event]]:
    """The same over the state of `ACCOUNT`."""
    return {ASKED: lambda event, context: decide(context.state["eur"], event, overdraft_eur)}
