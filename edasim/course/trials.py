"""Rules that run a learner's code on inputs and seeds that the learner has not seen.

The seeds come from a hash of the exercise's id: the same for everyone and every day, so a check is repeatable, but not
1, 2, 3. A learner who reads this file can compute them; the point is honest practice, not an examination. Errors
of the learner's code become feedback that names the line. Left out: a time limit (interrupt the kernel to stop an
endless loop) and a sandbox (the code is the learner's own, on the learner's own machine).
"""

from __future__ import annotations

import hashlib
import math
import numbers
import random
import traceback
from collections.abc import Callable
from typing import Any

from .. import checks
from ..errors import EdasimError
from . import quantities
from .ideas import WrongIdea
from .rules import Number, Verdict, idea_in_words, tuple_of

Trial = Callable[[Any, int], Verdict]
"""Tries an answer with one seed."""


def held_out_seeds(exercise: str, n: int) -> tuple[int, ...]:
    """`n` seeds below 2**32 that depend on the exercise's id alone."""
    digests = (hashlib.sha256(f"edasim held-out {exercise} {index}".encode()).digest() for index in range(n))
    return tuple(int.from_bytes(digest[:4], "big") for digest in digests)


def blame(error: Exception, answer: Any) -> Verdict:
    """A verdict for an error: an `EdasimError` speaks for itself, any other is shown with the learner's line."""
    if isinstance(error, EdasimError):
        return Verdict(False, f"edasim refused: {error}")
    own_file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own_file]
    where = ""
    if frames:
        where = f", in line {frames[-1].lineno}: {frames[-1].line}"
    return Verdict(False, f"Your code raised {type(error).__name__}: {error}{where}")


def check_function(field: str, value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if not callable(value):
        raise checks.refuse(field, value, "give a function")
    return value  # type: ignore[no-any-return]


def must_be_callable(answer: Any) -> None:
    """Refuses what is not a function, with the typical reason."""
    if not callable(answer):
        raise checks.refuse("answer", answer, "give the function itself: its name without brackets")


@checks.configuration
class TrialRule:
    """Passed if `trial(answer, seed)` passes on at least `needed` of `seeds` held-out seeds (all, if not stated)."""

    exercise: str = checks.text()
    trial: Trial = checks.checked(check_function)
    seeds: int = checks.at_least(1, default=5)
    needed: int | None = checks.optional(checks.check_whole(1), default=None)

    def check(self) -> None:
        """No more needed than tried."""
        if self.needed is not None and self.needed > self.seeds:
            raise checks.refuse("TrialRule.needed", self.needed, f"give at most {self.seeds}")

    def judge(self, answer: Any) -> Verdict:
        """The first failing trial's message and mistake, with the count of seeds on which the answer holds."""
        verdicts = [self.tried(answer, seed) for seed in held_out_seeds(self.exercise, self.seeds)]
        passed = sum(verdict.passed for verdict in verdicts)
        if passed >= (self.needed or self.seeds):
            return Verdict(True, f"It holds on {passed} of {self.seeds} seeds that you have not seen.")
        first = next(verdict for verdict in verdicts if not verdict.passed)
        said = first.message if first.message.endswith((".", "!", "?", "…")) else f"{first.message}."
        return Verdict(
            False, f"{said} It holds on {passed} of {self.seeds} seeds that you have not seen.", first.mistake
        )

    def tried(self, answer: Any, seed: int) -> Verdict:
        """One trial; an error of the learner's code is a verdict."""
        try:
            return self.trial(answer, seed)
        except Exception as error:  # noqa: BLE001 (whatever the learner's code raises is feedback)
            return blame(error, answer)


def measuring(measure: Callable[[Any], float], goal: Number, *, until_s: float, what: str) -> Trial:
    """A trial that runs a scenario and compares one measured number with a goal.

    The answer is a scenario (anything with `run(seed=…, until_s=…)`) or a function of a seed that returns a run.
    `measure` takes the run; `what` names the number, for example "the p95 wait".
    """

    def trial(answer: Any, seed: int) -> Verdict:
        if hasattr(answer, "run"):
            run = answer.run(seed=seed, until_s=until_s)
        else:
            must_be_callable(answer)
            run = answer(seed)
        verdict = goal.judge(measure(run))
        said = f"{what[:1].upper()}{what[1:]} came out as {verdict.message}"
        return Verdict(verdict.passed, said, verdict.mistake)

    return trial


@checks.configuration
class FunctionSlip:
    """A typical wrong function: if the learner's function agrees with it everywhere, this is the idea behind it."""

    wrong: Callable[..., Any] = checks.checked(check_function)
    idea: str = checks.text()
    names: WrongIdea | None = checks.optional(checks.check_word(WrongIdea), default=None)


@checks.configuration
class FunctionRule:
    """A function that must agree with `truth` on arguments drawn by `cases` from held-out seeds.

    `cases(random.Random)` returns the arguments as a tuple; results are numbers or sequences of numbers, equal within
    `within_ratio`. If the learner's function agrees with a typical wrong one instead, its idea is named.
    """

    exercise: str = checks.text()
    cases: Callable[[random.Random], tuple[Any, ...]] = checks.checked(check_function)
    truth: Callable[..., Any] = checks.checked(check_function)
    slips: tuple[FunctionSlip, ...] = checks.checked(tuple_of(FunctionSlip, "typical wrong functions"), default=())
    within_ratio: float = checks.ratio(default=1e-6)
    seeds: int = checks.at_least(1, default=20)

    def judge(self, answer: Any) -> Verdict:
        """Passed if it agrees everywhere; otherwise the first arguments on which it does not."""
        must_be_callable(answer)
        seeds = held_out_seeds(self.exercise, self.seeds)
        try:
            results = [answer(*self.arguments(seed)) for seed in seeds]
        except Exception as error:  # noqa: BLE001 (whatever the learner's code raises is feedback)
            return blame(error, answer)
        if any(result is None for result in results):
            return Verdict(False, "Your function returned None.", "A function without `return` gives None.")
        if self.agrees(results, self.truth):
            return Verdict(True, f"Your function agrees on {self.seeds} inputs that you have not seen.")
        typical = next((entry for entry in self.slips if self.agrees(results, entry.wrong)), None)
        mistake = None if typical is None else idea_in_words(typical.idea, typical.names)
        return Verdict(False, self.difference(seeds, results), mistake)

    def arguments(self, seed: int) -> tuple[Any, ...]:
        """Fresh arguments, so that a function that changes its input spoils nothing."""
        return self.cases(random.Random(seed))

    def agrees(self, results: list[Any], other: Callable[..., Any]) -> bool:
        """True if `other` gives the same results on every held-out input."""
        seeds = held_out_seeds(self.exercise, self.seeds)
        pairs = zip(seeds, results, strict=True)
        return all(same(result, other(*self.arguments(seed)), self.within_ratio) for seed, result in pairs)

    def difference(self, seeds: tuple[int, ...], results: list[Any]) -> str:
        """In words: the first input on which the learner's function differs."""
        pairs = zip(seeds, results, strict=True)
        given, result, expected = next(
            (self.arguments(seed), result, right)
            for seed, result in pairs
            if not same(result, right := self.truth(*self.arguments(seed)), self.within_ratio)
        )
        shown = ", ".join(in_short(argument) for argument in given)
        said, right = in_short(result), in_short(expected)
        if said == right:
            said, right = repr(result), repr(expected)
        return f"For ({shown}) your function gives {said}; right is {right}."


def same(left: Any, right: Any, within_ratio: float) -> bool:
    """Numbers within a share of each other; sequences of the same length, entry by entry; else plain equality."""
    if isinstance(left, numbers.Real) and isinstance(right, numbers.Real):
        return math.isclose(left, right, rel_tol=within_ratio, abs_tol=1e-12)
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(same(a, b, within_ratio) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def in_short(value: Any) -> str:
    """A value for a message: numbers in four digits, long lists cut."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return quantities.plain(float(value))
    if isinstance(value, tuple | list):
        shown = [in_short(entry) for entry in value[:4]] + ["…"] * bool(value[4:])
        return f"[{', '.join(shown)}]" if isinstance(value, list) else f"({', '.join(shown)})"
    return repr(value)
