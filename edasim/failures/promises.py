"""Promises: what a system says of itself, in words of the code, so that a run can be held to it.

Two kinds. Promises on deliveries say how often the work for a message is done (`at_least_once`, `at_most_once`,
`exactly_once`) and in which order (`order_by`). Promises on facts say what must never be (`no`), what must come
(`eventually`), what must add up (`conserves`), and what the stores hold in the end (`at_the_end`). Work is a delivery
that was done or, with `effect`, a fact that the work leaves behind: most bugs live in the difference between the two.

Follows the delivery guarantees of messaging systems and the verdicts of Jepsen (facts: RP-10). Left out:
linearisability of stores; promises that are true with a probability (see `experiments`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from .. import checks
from ..errors import ConfigurationError, UnknownNameError
from .books import Books
from .findings import Finding


@dataclass(frozen=True)
class System:
    """What is known of a system before it runs: names of services, the types that each receives, and the run's end."""

    services: tuple[str, ...]
    receives: dict[str, tuple[str, ...]] | None = None
    until_s: float | None = None


class Promise(Protocol):
    """Something that a run can be held to."""

    def describe(self) -> str:
        """In plain words."""

    def require_checkable(self, system: System) -> None:
        """Raises an `EdasimError` that names what makes this promise one that nobody could check."""

    def broken(self, books: Books) -> Iterable[Finding]:
        """Where a run broke it."""


def check_names(field: str, value: Any) -> tuple[str, ...] | None:
    """None, one name or several; for `checks.checked`."""
    if value is None:
        return None
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise checks.refuse(field, value, "give one name or a list of names, or leave it out")
    return tuple(checks.check_text(field, name) for name in names)


def check_some_names(field: str, value: Any) -> tuple[str, ...]:
    """One name or several, at least one."""
    names = check_names(field, value)
    if names is None:
        raise checks.refuse(field, value, "give one name or a list of names")
    return names


def require_service(field: str, service: str, types: tuple[str, ...] | None, system: System) -> None:
    """Raises unless the service exists and receives those types."""
    if service not in system.services:
        raise UnknownNameError(f"service ({field})", service, system.services)
    if types is None or system.receives is None or service not in system.receives:
        return
    for each in types:
        if each not in system.receives[service]:
            raise ConfigurationError(
                f"{service} never receives {each!r}, so a promise about it can never be checked",
                field=field,
                value=each,
                remedy=f"it receives: {', '.join(system.receives[service])}",
            )


def require_time(field: str, within_s: float | None, system: System) -> None:
    """Raises if a run is over before its promise can be broken."""
    if within_s is not None and system.until_s is not None and within_s >= system.until_s:
        raise ConfigurationError(
            f"{field} is {within_s:g} s, and the run ends at {system.until_s:g} s: the promise can never be broken",
            field=field,
            value=within_s,
            remedy="run for longer, or promise it within a shorter time",
        )


def check_promises(field: str, value: Any) -> tuple[Promise, ...]:
    """Any number of promises, kept as a tuple; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not all(map(_is_promise, value)):
        raise checks.refuse(field, value, "give a list of promises, such as at_least_once(to='mail')")
    return tuple(value)


def _is_promise(value: Any) -> bool:
    return hasattr(value, "broken") and hasattr(value, "require_checkable") and not isinstance(value, type)


def at_least_once(
    *,
    to: str,
    type: str | Iterable[str] | None = None,  # noqa: A002 - CloudEvents calls it so
    effect: str | None = None,
    by: str | None = None,
    within_s: float | None = None,
) -> Promise:
    """The work for every message of `type` (None: of all that it receives) is done by the service `to`.

    Done means that a delivery was done or, with `effect`, that a fact of that kind exists: for the same event, or for
    the same value of `by`, a field of the event's data and of the fact ("subject": the event's subject). With
    `within_s` the work is late if it is done later after publishing. A message that is still open when the run ends is
    stuck if its time is over, or if nothing was left to happen; otherwise it is not judged.

    >>> print(at_least_once(to="mail", effect="mail_arrived", within_s=60.0).describe())
    at least once to mail: mail_arrived, within 60 s
    """
    from .deliveries import Delivered

    return Delivered(
        to=to, least=1, most=None, types=check_names("type", type), effect=effect, by=by, within_s=within_s
    )


def at_most_once(
    *,
    to: str,
    type: str | Iterable[str] | None = None,  # noqa: A002 - as above
    effect: str | None = None,
    by: str | None = None,
) -> Promise:
    """As `at_least_once`, but the work is never done twice, and never without a message that asks for it."""
    from .deliveries import Delivered

    return Delivered(to=to, least=0, most=1, types=check_names("type", type), effect=effect, by=by, within_s=None)


def exactly_once(
    *,
    to: str,
    type: str | Iterable[str] | None = None,  # noqa: A002 - as above
    effect: str | None = None,
    by: str | None = None,
    within_s: float | None = None,
) -> Promise:
    """At least once and at most once."""
    from .deliveries import Delivered

    return Delivered(to=to, least=1, most=1, types=check_names("type", type), effect=effect, by=by, within_s=within_s)


def order_by(
    key: str,
    *,
    at: str,
    type: str | Iterable[str] | None = None,  # noqa: A002 - as above
    effect: str | None = None,
    sequence: str | None = None,
) -> Promise:
    """The service `at` does the work for messages of one `key` in the order in which they were published.

    `key` and `sequence` are fields of the event's data ("subject": its subject). With `sequence` the order is that of
    these numbers instead. Work is done when its delivery was done for the first time or, with `effect`, at every fact
    of that kind, so that an old message that is applied once more, after a newer one, is out of order too.
    """
    from .ordering import Ordered

    return Ordered(key=key, at=at, types=check_names("type", type), effect=effect, sequence=sequence)


def no(condition: Callable[[Any], bool], words: str, *, of: str | None = None) -> Promise:
    """There is no row for which the condition holds; `words` say what that would mean.

    A row is a fact of the kind `of`, with `time_s`, `kind`, `subject` and all particulars as attributes, or with
    `of=None` a row of `run.messages()`.

    >>> no(lambda row: row.stock < 0, "stock below zero", of="stock_changed").describe()
    'never: stock below zero'
    """
    from .rules import Never

    return Never(condition=condition, words=words, of=of)


def eventually(
    what: str, *, within_s: float, after: str | None = None, by: str | None = None, words: str | None = None
) -> Promise:
    """After every `after` comes `what`, within `within_s` seconds; both are kinds of facts or types of events.

    They belong together by the value of `by` (a field of the fact, or of the event's data), or else by their trace.
    Without `after` it has to come once, counted from the start of the run.
    """
    from .rules import Eventually

    return Eventually(what=what, within_s=within_s, after=after, by=by, words=words)


def conserves(
    field: str,
    *,
    plus: str | Iterable[str],
    minus: str | Iterable[str],
    by: str | None = None,
    total: float = 0.0,
    within_s: float | None = None,
) -> Promise:
    """What facts of the kinds `plus` add in `field`, facts of the kinds `minus` take away: `total` is left over.

    With `by` that holds for each value of that field of the facts, such as a transfer; without, for the run. With
    `within_s` a key is judged only if its last fact is older than that when the run ends.
    """
    from .rules import Conserved

    return Conserved(
        field=field,
        plus=check_some_names("plus", plus),
        minus=check_some_names("minus", minus),
        by=by,
        total=total,
        within_s=within_s,
    )


def at_the_end(condition: Callable[[Any], bool], words: str) -> Promise:
    """`condition(run)` holds when the run has ended, for what its stores hold (`run.kept`); `words` say it."""
    from .rules import AtTheEnd

    return AtTheEnd(condition=condition, words=words)
