"""The circuit breaker: it stops calling what fails, and tries again carefully after a while.

Follows: Resilience4j 2.x, `CircuitBreakerConfig`, `CircuitBreakerStateMachine` and `CircuitBreakerMetrics` (GV-10,
GV-12), with its defaults. Rates are judged after each call that ends, once the window holds `minimum_calls` (at most
the window's size if it counts calls). Open, it refuses until *after* `open_s`; the next call then makes it half open,
where `permitted_half_open_calls` go through. They are judged together, as soon as as many have ended as
`minimum_calls` and the number permitted ask for; a call that began before and ends now counts as one of them, as in
the product. After a half open period that ended badly the waits of the open state grow by `open_factor`.

Left out: predicates over exceptions and results (the caller says whether a call was ok, or releases it uncounted), and
transitions that depend on the result of a single call.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import checks
from .windows import CallWindow, LastCalls, LastSeconds


class Window(enum.Enum):
    """What a window's size counts."""

    COUNT = "count"
    """Calls."""
    TIME = "time"
    """Seconds."""


class State(enum.Enum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    """Calls go through and are counted."""
    OPEN = "open"
    """Calls are refused."""
    HALF_OPEN = "half open"
    """A few calls go through, on trial."""
    FORCED_OPEN = "forced open"
    """Calls are refused until somebody says otherwise."""
    DISABLED = "disabled"
    """Calls go through and are not counted."""
    METRICS_ONLY = "metrics only"
    """Calls go through and are counted, without consequences."""


CLOSED, OPEN, HALF_OPEN, FORCED_OPEN, DISABLED, METRICS_ONLY = State
"""The same once more: a circuit looks at its state at every call, and `State.CLOSED` takes Python ten times as long."""

Told: TypeAlias = Callable[[float, State, State], None]
"""Is told of each transition: when (simulated seconds), from which state, to which."""


def check_millisecond(field: str, value: Any) -> float:
    """A finite number of at least a thousandth, as Resilience4j asks of its waits; for `checks.checked`."""
    return checks.number(field, value, low=0.001, open_low=False, what="a finite number of at least 0.001")


@checks.configuration
class CircuitBreaker:
    """When a circuit opens, for how long, and what closes it again; defaults of Resilience4j.

    `window_size` counts calls, or whole seconds if `window` is `"time"`. A call is slow if it takes longer than
    `slow_call_s`. `half_open_s` bounds the time on trial (None: no bound); `automatic` leaves the open state without
    waiting for a call. More `minimum_calls` than a count window holds mean all that it holds; more
    `permitted_half_open_calls` than the window are no contradiction, since trials are counted in a window of their own.

    >>> circuit = CircuitBreaker(window_size=2, minimum_calls=2, open_s=60.0).start()
    >>> for now_s in (0.0, 1.0):
    ...     circuit.record(now_s, ok=False)
    >>> circuit.state.value, circuit.allow(61.0), circuit.allow(61.5)
    ('open', False, True)
    """

    window: Window = checks.word(Window, default=Window.COUNT)
    window_size: int = checks.at_least(1, default=100)
    minimum_calls: int = checks.at_least(1, default=100)
    failure_rate_ratio: float = checks.ratio(default=0.5)
    slow_call_rate_ratio: float = checks.ratio(default=1.0)
    slow_call_s: float = checks.positive(default=60.0)
    open_s: float = checks.checked(check_millisecond, default=60.0)
    open_factor: float = checks.positive(default=1.0)
    open_cap_s: float = checks.positive(default=86_400.0)
    permitted_half_open_calls: int = checks.at_least(1, default=10)
    half_open_s: float | None = checks.optional(check_millisecond, default=None)
    automatic: bool = checks.kind(bool, "True or False", default=False)

    def check(self) -> None:
        """Rates above 0 (a rate of 0 would open without a failure), and waits that do not shrink."""
        for name in ("failure_rate_ratio", "slow_call_rate_ratio"):
            if getattr(self, name) == 0.0:
                raise checks.refuse(f"CircuitBreaker.{name}", 0.0, "give a share above 0, up to 1")
        if self.open_factor < 1.0:
            raise checks.refuse("CircuitBreaker.open_factor", self.open_factor, "give at least 1")
        if self.open_cap_s < self.open_s:
            raise checks.refuse("CircuitBreaker.open_cap_s", self.open_cap_s, f"give at least open_s, {self.open_s:g}")

    @property
    def calls_needed(self) -> int:
        """How many calls the closed state needs before it judges: a count window never holds more than its size."""
        if self.window is Window.TIME:
            return self.minimum_calls
        return min(self.minimum_calls, self.window_size)

    @property
    def half_open_calls_needed(self) -> int:
        """How many ended calls the half open state needs before it judges."""
        return min(self.minimum_calls, self.permitted_half_open_calls)

    def open_wait_s(self, times_opened: int) -> float:
        """Seconds of the open state when it is entered for the nth time (from 1 on) without having closed in
        between.
        """
        try:
            return min(self.open_cap_s, self.open_s * self.open_factor ** (times_opened - 1))
        except OverflowError:
            return self.open_cap_s

    def start(self, now_s: float = 0.0, told: Told | None = None) -> Circuit:
        """A closed circuit; `told` hears of its transitions."""
        return Circuit(self, now_s, told)


HYSTRIX = CircuitBreaker(
    window=Window.TIME, window_size=10, minimum_calls=20, open_s=5.0, permitted_half_open_calls=1, slow_call_s=86_400.0
)
"""The defaults of Hystrix 1.5 (history, GV-11): 20 calls in 10 s, 50 %, 5 s of sleep, one probe."""


class Circuit:
    """The state of one circuit breaker. Its answers depend on what it was asked and told, and on nothing else.

    Ask `allow` before a call. If it says yes, end the call with `record`, or with `release` if it was never made.
    `refused` counts the refusals.
    """

    __slots__ = (
        "_last",
        "_needed",
        "_open_until_s",
        "_permits",
        "_slow_call_s",
        "_told",
        "_window",
        "configuration",
        "due_s",
        "refused",
        "state",
        "times_opened",
    )

    def __init__(self, configuration: CircuitBreaker, now_s: float, told: Told | None) -> None:
        self.configuration = configuration
        self.state = CLOSED
        self.due_s = math.inf
        """When the state changes by itself (call `advance` then); infinite if it does not."""
        self.refused = 0
        self.times_opened = 0
        self._told = told
        self._slow_call_s = configuration.slow_call_s
        self._permits = 0
        self._open_until_s = -math.inf
        """Before this instant it refuses everything."""
        self._needed = configuration.calls_needed
        self._watch(self._closed_window(now_s))

    @property
    def calls(self) -> int:
        """How many calls the present window holds."""
        return self._window.calls

    @property
    def failure_rate_ratio(self) -> float | None:
        """The share of failed calls in the present window, None while there are too few."""
        window = self._window
        return window.failed / window.calls if window.calls >= self._needed else None

    @property
    def slow_call_rate_ratio(self) -> float | None:
        """The share of slow calls in the present window, None while there are too few."""
        window = self._window
        return window.slow / window.calls if window.calls >= self._needed else None

    def advance(self, now_s: float) -> None:
        """Makes the changes that are due by themselves up to `now_s`, each at its own time."""
        while self.due_s <= now_s:
            self._enter(self.due_s, HALF_OPEN if self.state is OPEN else OPEN)

    def allow(self, now_s: float) -> bool:
        """Whether a call may be made now; in the half open state a yes uses up one of the permitted calls."""
        state = self.state
        if state is CLOSED or state is DISABLED or state is METRICS_ONLY:
            return True
        if now_s < self._open_until_s:
            self.refused += 1
            return False
        self.advance(now_s)
        if self.state is OPEN and now_s > self._open_until_s:
            self._enter(now_s, HALF_OPEN)
        if self.state is HALF_OPEN and self._permits > 0:
            self._permits -= 1
            return True
        self.refused += 1
        return False

    def record(self, now_s: float, ok: bool, duration_s: float = 0.0) -> None:
        """Counts a call that ended at `now_s`, and opens or closes the circuit if that decides it."""
        state = self.state
        if state is not CLOSED:
            if state is FORCED_OPEN or state is DISABLED:
                return
            self.advance(now_s)
            state = self.state
        slow = duration_s > self._slow_call_s
        last = self._last
        if last is None:
            self._window.record(now_s, not ok, slow)
        else:
            place, kind = next(last.places), 0 if ok and not slow else (not ok) + 2 * slow
            if last.ring[place] == kind:
                return  # it takes the place of one of its kind: all is as when that was judged
            last.put(place, kind)
        if state is CLOSED or state is HALF_OPEN:
            self._judge(now_s, state)

    def _judge(self, now_s: float, state: State) -> None:
        """Opens or closes the circuit if the calls in the window decide it."""
        window = self._window
        calls, failed, slow = window.calls, window.failed, window.slow
        if calls < self._needed:
            return
        settings = self.configuration
        if failed / calls >= settings.failure_rate_ratio or slow / calls >= settings.slow_call_rate_ratio:
            self._enter(now_s, OPEN)
        elif state is HALF_OPEN:
            self._enter(now_s, CLOSED)

    def release(self, now_s: float) -> None:
        """Gives back a permission that was not used, or whose call shall not count."""
        self.advance(now_s)
        if self.state is HALF_OPEN:
            self._permits += 1

    def force(self, now_s: float, state: State | str) -> None:
        """Puts the circuit into a state by hand; its counts begin anew."""
        self._enter(now_s, checks.check_word(State)("Circuit.state", state))

    def _enter(self, now_s: float, state: State) -> None:
        before, self.state = self.state, state
        configuration = self.configuration
        self._open_until_s, self.due_s = -math.inf, math.inf
        if state is OPEN:
            self.times_opened += 1
            self._open_until_s = now_s + configuration.open_wait_s(self.times_opened)
            if configuration.automatic:
                self.due_s = self._open_until_s
        elif state is HALF_OPEN:
            self._permits = configuration.permitted_half_open_calls
            self._needed = configuration.half_open_calls_needed
            self._watch(LastCalls(configuration.permitted_half_open_calls))
            if configuration.half_open_s is not None:
                self.due_s = now_s + configuration.half_open_s
        else:
            self._needed = configuration.calls_needed
            self._watch(self._closed_window(now_s))
            if state is not FORCED_OPEN:
                self.times_opened = 0
        if self._told is not None and before is not state:
            self._told(now_s, before, state)

    def _watch(self, window: CallWindow) -> None:
        """Counts in another window from now on."""
        self._window = window
        self._last = window if isinstance(window, LastCalls) else None

    def _closed_window(self, now_s: float) -> CallWindow:
        size = self.configuration.window_size
        return LastSeconds(size, now_s) if self.configuration.window is Window.TIME else LastCalls(size)
