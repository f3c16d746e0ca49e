"""The sourced case: accounts whose balances are stored nowhere, in a store by themselves and on a bus under load.

`accounts` has the events, the folds and the rule of withdrawals, all pure; `week` makes a week of events and keeps them
in a store; `Bank` is the scenario on a bus: a `sourcing.Decider` as a service, a view that lags, statements that can be
rebuilt by a replay beside live traffic. `Members` is a user management by events that forgets who has left, `Shop` an
order service with dual writes or an outbox; `crash_writes` crashes both at every write. Left out: money of other
currencies, transfers, interest.
"""

from .accounts import (
    ACCOUNT,
    ASKED,
    BALANCES,
    PAID_IN,
    PAID_OUT,
    REFUSED,
    TOTAL,
    account_handler,
    balance_view,
    bank_handler,
    decide,
    hasty_balance_view,
    last_seen_view,
)
from .bank import Bank, Reading, Reads, Statements
from .measures import live_wait_ms, rebuild_s, stale_ratio, stale_ratio_truth, waited_ms, waited_ms_truth
from .members import MEMBER, Members, joined, members_by_city, members_view
from .shop import Books, Effects, Receiving, Shop, Writing, books
from .tampering import raw_bytes_hold, tamper
from .week import DAY_S, MONDAY_S, keep, kept_week, payments, said_at, week
from .writes import CrashWrites, Fate, Gap, crash_writes, member_variants, one_member, one_order, order_variants

__all__ = [
    "ACCOUNT", "ASKED", "BALANCES", "DAY_S", "MEMBER", "MONDAY_S", "PAID_IN", "PAID_OUT", "REFUSED", "TOTAL", "Bank",
    "Books", "CrashWrites", "Effects", "Fate", "Gap", "Members", "Reading", "Reads", "Receiving", "Shop",
    "Statements", "Writing", "account_handler", "balance_view", "bank_handler", "books", "crash_writes", "decide",
    "hasty_balance_view", "joined", "keep", "kept_week", "last_seen_view", "live_wait_ms", "member_variants",
    "members_by_city", "members_view", "one_member", "one_order", "order_variants", "payments", "raw_bytes_hold",
    "rebuild_s", "said_at", "stale_ratio", "stale_ratio_truth", "tamper", "waited_ms", "waited_ms_truth", "week",
]  # fmt: skip
