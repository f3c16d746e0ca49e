"""Event sourcing for real: events are stored, and every state is computed from them.

The room holds an event store on SQLite (`EventStore`: streams, expected versions, one order, hash chain, erasure),
what is computed from it (`Fold`, `Projection`, `View`, `History`), how old events are read (`Upcaster`, `tolerant`),
worlds that did not happen (`what_if`, `redecide`, `as_known`), messages that are neither lost nor doubled (`Outbox`,
`Inbox`, `Decider`), the same in simulated time (`live`), and runs in files (`save_run`, `open_run`).

Follows: facts ES-01 to ES-10; EventStoreDB (KurrentDB) for appends and subscriptions, Marten for versions and
rebuilds, Axon for parked events, SQLite for what is on disk; each module says which. The stored event is the
CloudEvent of `events`.

Left out: several nodes, access rights, deletion of streams, and a key service apart from the store.
"""

from . import live
from .appending import Appended
from .chain import Alteration, Seal
from .decider import Decider
from .differences import Difference, differences
from .errors import ConflictError, DuplicateEventError, ProjectionError, StoreError, UpcastError
from .folding import Fold, Projection
from .history import EveryEvents, EverySeconds, History, as_known
from .outbox import Inbox, Outbox, transaction
from .privacy import ERASED
from .query import Query, Recorded
from .runfile import about_run, open_run, save_run
from .schema import Access
from .store import AuditEntry, EventStore
from .subscription import Subscription
from .upcasting import Upcaster, Upcasters, tolerant, version_of
from .views import Parked, View, check_view
from .worlds import Decision, ReplayContext, Worlds, branch, redecide, what_if

__all__ = [
    "ERASED",
    "Access",
    "Alteration",
    "Appended",
    "AuditEntry",
    "ConflictError",
    "Decider",
    "Decision",
    "Difference",
    "DuplicateEventError",
    "EventStore",
    "EveryEvents",
    "EverySeconds",
    "Fold",
    "History",
    "Inbox",
    "Outbox",
    "Parked",
    "Projection",
    "ProjectionError",
    "Query",
    "Recorded",
    "ReplayContext",
    "Seal",
    "StoreError",
    "Subscription",
    "UpcastError",
    "Upcaster",
    "Upcasters",
    "View",
    "Worlds",
    "about_run",
    "as_known",
    "branch",
    "check_view",
    "differences",
    "live",
    "open_run",
    "redecide",
    "save_run",
    "tolerant",
    "transaction",
    "version_of",
    "what_if",
]
