"""Fallbacks: what is answered instead, and how good that is; the share and the quality of all answers are metrics.

Follows: the degradation rule GV-35. A fallback states its quality (1: as good as the real answer, 0: worthless) and for
which failures it stands in; the first that fits, in the order given, is taken. Left out: how the answer comes about.
"""

from __future__ import annotations

from typing import Any

from .. import checks
from .failures import Failure, check_failures


@checks.configuration
class Fallback:
    """An answer of `quality_ratio` that takes `duration_s`; with `fresh_s` only while its data are not older."""

    name: str = checks.text()
    quality_ratio: float = checks.ratio()
    instead_of: frozenset[Failure] = checks.checked(check_failures, default=frozenset(Failure) - {Failure.INVALID})
    fresh_s: float | None = checks.optional(checks.check_positive, default=None)
    duration_s: float = checks.non_negative(default=0.0)

    def fits(self, failure: Failure, age_s: float = 0.0) -> bool:
        """Whether it may stand in for an answer that failed so, if its data are `age_s` seconds old."""
        return failure in self.instead_of and (self.fresh_s is None or age_s <= self.fresh_s)


def check_fallbacks(field: str, value: Any) -> tuple[Fallback, ...]:
    """At least one fallback, of different names, kept as a tuple; for `checks.checked`."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, Fallback) for each in value):
        raise checks.refuse(field, value, "give a list of Fallback(name=…, quality_ratio=…)")
    names = [each.name for each in value]
    for name in names:
        if names.count(name) > 1:
            raise checks.refuse(field, name, "give each fallback a name of its own")
    return tuple(value)


@checks.configuration
class Degradation:
    """Fallbacks in the order in which they are tried.

    >>> cache = Fallback(name="cache", quality_ratio=0.9, fresh_s=60.0)
    >>> ladder = Degradation(fallbacks=[cache, Fallback(name="empty list", quality_ratio=0.2)])
    >>> ladder.choose(Failure.TIMEOUT, {"cache": 30.0}).name, ladder.choose(Failure.TIMEOUT, {"cache": 90.0}).name
    ('cache', 'empty list')
    """

    fallbacks: tuple[Fallback, ...] = checks.checked(check_fallbacks)

    def choose(self, failure: Failure, ages_s: dict[str, float] | None = None) -> Fallback | None:
        """The first that fits, None if the failure must be shown; `ages_s` tells how old each one's data are (else
        0).
        """
        ages_s = ages_s or {}
        for fallback in self.fallbacks:
            if fallback.fits(failure, ages_s.get(fallback.name, 0.0)):
                return fallback
        return None

    def start(self) -> Answers:
        """No answer given yet."""
        return Answers()


class Answers:
    """Counts what was answered: in full, by which fallback, and not at all.

    >>> answers = Degradation(fallbacks=[Fallback(name="cache", quality_ratio=0.5)]).start()
    >>> for fallback in (None, None, Fallback(name="cache", quality_ratio=0.5)):
    ...     answers.answered(fallback)
    >>> answers.degraded_ratio, round(answers.mean_quality, 3)
    (0.3333333333333333, 0.833)
    """

    __slots__ = ("by_name", "failed", "full", "quality")

    def __init__(self) -> None:
        self.full = self.failed = 0
        self.by_name: dict[str, int] = {}
        self.quality = 0.0

    def answered(self, fallback: Fallback | None = None) -> None:
        """A request was answered: in full, or by a fallback."""
        if fallback is None:
            self.full += 1
            self.quality += 1.0
        else:
            self.by_name[fallback.name] = self.by_name.get(fallback.name, 0) + 1
            self.quality += fallback.quality_ratio

    def gave_up(self) -> None:
        """A request was not answered."""
        self.failed += 1

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return self.full + self.failed + sum(self.by_name.values())

    @property
    def degraded_ratio(self) -> float:
        """The share of the requests that a fallback answered; 0 if there were none."""
        return sum(self.by_name.values()) / self.requests if self.requests else 0.0

    @property
    def mean_quality(self) -> float:
        """The mean quality over all requests, a failed one counting 0; 1 if there were none."""
        return self.quality / self.requests if self.requests else 1.0
