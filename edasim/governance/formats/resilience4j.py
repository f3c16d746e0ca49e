"""Resilience4j as Spring Boot configures it: circuitbreaker, retry, ratelimiter, bulkhead, timelimiter.

Follows: the `Common…ConfigurationProperties` of Resilience4j 2.x. Names may be written in camel, kebab or snake case,
and paths with dots, keys with dots in brackets. An instance takes what it does not say from its `baseConfig`, or else
from the configuration `default`. A policy that is configured for nobody is read all the same, under the name
"configs.NAME". Documents of one file add up, and a placeholder's default stands for it.

Left out: `thread-pool-bulkhead` (threads are not modelled), exception classes and predicates (the policies know
failures by kind), and documents that belong to a Spring profile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from ... import checks
from ...errors import UnknownNameError
from ..breaker import CircuitBreaker, Window
from ..concurrency import Bulkhead
from ..deadlines import Timeout
from ..limiter import PermitsPerPeriod
from ..retry import Backoff, Jitter, Retry
from .durations import seconds
from .fields import Fields, Notes, document_path, made, number, percent, whole, yes_or_no
from .report import Note, Policy

Configs: TypeAlias = tuple[dict[str, dict[str, Any]], str]
"""The shared configurations of a module by name, and their path."""
ROOT = "resilience4j"
NO_CAP_S = 1e9
"""The cap of waits that have none."""
EXCEPTIONS = "exception classes and predicates are not read: policies know failures by kind"
NOT_GOVERNANCE = "says nothing about when calls are made"
GENERAL = {
    "eventConsumerBufferSize": "concerns the product's own events",
    "subscribeForEvents": "concerns the product's own events",
    "registerHealthIndicator": "concerns the health endpoint",
    "allowHealthIndicatorToFail": "concerns the health endpoint",
    "writableStackTraceEnabled": "concerns stack traces",
    "ignoreClassBindingExceptions": "concerns class loading",
    "recordExceptions": EXCEPTIONS,
    "ignoreExceptions": EXCEPTIONS,
    "retryExceptions": EXCEPTIONS,
    "recordFailurePredicate": EXCEPTIONS,
    "recordResultPredicate": EXCEPTIONS,
    "recordExceptionPredicate": EXCEPTIONS,
    "ignoreExceptionPredicate": EXCEPTIONS,
    "retryExceptionPredicate": EXCEPTIONS,
    "resultPredicate": EXCEPTIONS,
    "intervalBiFunction": "a function of your own cannot be read",
    "consumeResultBeforeRetryAttempt": "a function of your own cannot be read",
}
RENAMED = {
    "maxRetryAttempts": "the old name of maxAttempts, which Resilience4j 2 does not read",
    "ringBufferSizeInClosedState": "the old name of slidingWindowSize, which Resilience4j 2 does not read",
    "ringBufferSizeInHalfOpenState": "the old name of permittedNumberOfCallsInHalfOpenState, not read any more",
    "waitDurationInOpenStateMillis": "the old name of waitDurationInOpenState, not read any more",
    "maxWaitTime": "the old name of maxWaitDuration, not read any more",
    "maxConcurrentCall": "the old name of maxConcurrentCalls, not read any more",
}
_time = partial(seconds, bare="ms")


def spelling(name: str) -> str:
    """The one form of names that Spring takes for the same: lower case without dashes and underscores."""
    return name.replace("-", "").replace("_", "").lower()


def recognises(document: dict[Any, Any]) -> bool:
    """Whether a document configures Resilience4j."""
    return any(spelling(str(name).split(".")[0]) == ROOT for name in document)


def read(documents: list[Any], notes: Notes) -> dict[str, dict[str, Policy]]:
    """The policies by the name of the instance, then by kind. Documents without a profile are one, as Spring has it:
    a later one adds to the earlier ones and overrides them.
    """
    found: dict[str, dict[str, Policy]] = {}
    always: dict[str, Any] = {}
    for position, document in enumerate(documents):
        if not isinstance(document, dict):
            raise checks.refuse(document_path(position) or "document", document, "give an object with named fields")
        fields = Fields(unfolded(document), document_path(position), notes)
        profile = profile_of(fields)
        for name, _ in fields.names():
            if spelling(name) != ROOT:
                fields.ignore(name, NOT_GOVERNANCE)
            elif profile is not None:
                fields.ignore(name, f"holds for the profile {profile!r} only")
            elif fields.raw(name) is not None:
                content = filled(fields.raw(name), fields.at(name), notes)
                if not isinstance(content, dict):
                    raise checks.refuse(fields.at(name), content, "give an object with named fields")
                override(always, content, ROOT, notes)
    _read_modules(Fields(always, ROOT, notes, spelling), found)
    return found


def unfolded(document: dict[Any, Any]) -> dict[str, Any]:
    """The document with dots in names unfolded into objects, as Spring does; names in brackets keep theirs."""
    made_of: dict[str, Any] = {}
    for name, value in document.items():
        inner = unfolded(value) if isinstance(value, dict) else value
        parts = [bracketed or plain for bracketed, plain in PART.findall(str(name))] or [str(name)]
        for part in reversed(parts[1:]):
            inner = {part: inner}
        merge(made_of, {parts[0]: inner})
    return made_of


PART = re.compile(r"\[([^\]]+)\]|([^.\[]+)")
"""A part of a dotted name: in brackets, whatever it holds, or up to the next dot."""
PLACEHOLDER = re.compile(r"\$\{[^${}:]+:(?P<default>[^{}]*|\$\{.*\})\}")


def filled(value: Any, path: str, notes: Notes) -> Any:
    """The value with the default in the place of each placeholder that has one, as `${TRIES:3}`, and a note on it."""
    if isinstance(value, dict):
        return {name: filled(content, f"{path}.{name}", notes) for name, content in value.items()}
    default = value
    while isinstance(default, str) and (match := PLACEHOLDER.fullmatch(default.strip())):
        default = match["default"]
    if default is not value:
        notes.ignored.append(Note(path, value, f"a placeholder: its default, {default!r}, is taken"))
    return default


def override(into: dict[str, Any], more: dict[str, Any], path: str, notes: Notes) -> None:
    """Adds a later document's fields to those of earlier ones, object into object; what is said again is noted."""
    earlier = {spelling(name): name for name in into}
    for name, value in more.items():
        is_a_name = isinstance(value, dict) and path != ROOT  # of an instance, say: the user's own, taken as written
        same = name if is_a_name else earlier.get(spelling(name), name)
        if isinstance(value, dict) and isinstance(into.get(same, {}), dict):
            override(into.setdefault(same, {}), value, f"{path}.{same}", notes)
            continue
        if same in earlier.values():
            notes.ignored.append(Note(f"{path}.{same}", into.pop(same), "said again in a later document"))
        into[name] = value


def merge(into: dict[str, Any], more: dict[str, Any], path: str = "") -> None:
    """Adds the fields of `more`, object into object; a field that both have is an error."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value, f"{path}{name}.")
        elif name in into:
            raise checks.refuse(f"{path}{name}", value, "give this field once")
        else:
            into[name] = value


def profile_of(fields: Fields) -> str | None:
    """The Spring profile that a document belongs to, None if it holds always."""
    spring: Any = fields.raw("spring") if "spring" in fields else None
    for names in (("config", "activate", "on-profile"), ("profiles",)):
        inner = spring
        for name in names:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, str):
            return inner
    return None


def _read_modules(modules: Fields, found: dict[str, dict[str, Policy]]) -> None:
    for module, (kind, build) in READERS.items():
        section = modules.section(module)
        if section is not None:
            _read_module(section, kind, build, found)
    modules.ignore("thread-pool-bulkhead", "threads and their queues are not modelled; a bulkhead counts calls")
    modules.ignore("endpoints", "concerns the management endpoints")
    modules.ignore("scheduled", "threads are not modelled")
    modules.ignore("micrometer", "concerns the product's metrics")
    modules.ignore("cache", "caches are not modelled; see Fallback")
    modules.finish({})


def _read_module(
    module: Fields, kind: str, build: Callable[[Fields], Policy], found: dict[str, dict[str, Policy]]
) -> None:
    configs, used = _objects(module, "configs"), set()
    based = (configs, module.at("configs"))
    for list_of in ("instances", "backends"):
        for name, own in _objects(module, list_of).items():
            path = f"{module.at(list_of)}.{name}"
            same = name if kind == "circuit breaker" and name in configs else None
            chain, bases = _resolved(path, own, based, same or ("default" if "default" in configs else None))
            used |= bases
            policies = found.setdefault(name, {})
            if kind in policies:
                raise checks.refuse(path, name, f"give this {kind} once")
            policies[kind] = build(Fields.merged(chain, path, module.notes, spelling))
    for name, own in configs.items():
        if name not in used:
            path = f"{module.at('configs')}.{name}"
            chain, _ = _resolved(path, own, based, None, (name,))
            found.setdefault(f"configs.{name}", {})[kind] = build(Fields.merged(chain, path, module.notes, spelling))
    for name, _ in module.names():
        if name.endswith("aspectorder"):
            module.ignore(name, "the order of the product's decorators: build yours in the client")
    module.ignore("metrics", "concerns the product's metrics")
    module.ignore("tags", "concerns the product's metrics")
    module.ignore("limits", "an old form that Resilience4j 2 does not read")
    module.finish({"configs": "", "instances": "", "backends": ""})


def _objects(module: Fields, name: str) -> dict[str, dict[str, Any]]:
    value = module.raw(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise checks.refuse(module.at(name), value, "give an object with a name for each member")
    for each, content in value.items():
        checks.check_text(module.at(name), each)
        if not isinstance(content, dict | None):
            raise checks.refuse(f"{module.at(name)}.{each}", content, "give an object with named fields")
    return {str(each): content or {} for each, content in value.items()}


def _resolved(
    path: str, own: dict[str, Any], configs: Configs, base: str | None, seen: tuple[str, ...] = ()
) -> tuple[dict[str, tuple[str, Any]], set[str]]:
    """The fields of an object over those of the configurations it is based on (`base` unless it says), and their
    names.
    """
    spelt: dict[str, tuple[str, Any]] = {}
    for each, value in own.items():
        if spelling(each) in spelt:
            raise checks.refuse(f"{path}.{each}", value, f"{spelt[spelling(each)][0]} says the same: give one")
        spelt[spelling(each)] = (f"{path}.{each}", value)
    base = spelt.pop("baseconfig", ("", base))[1]
    if base is None:
        return spelt, set()
    base = checks.check_text(f"{path}.baseConfig", base)
    objects, where = configs
    if base not in objects:
        raise UnknownNameError(f"baseConfig of {path}", base, objects)
    if base in seen:
        raise checks.refuse(f"{path}.baseConfig", base, "give configurations that are not based on themselves")
    below, bases = _resolved(f"{where}.{base}", objects[base], configs, None, (*seen, base))
    return below | spelt, bases | {base}


def _breaker(fields: Fields) -> CircuitBreaker:
    take = fields.take
    window = take("slidingWindowType", _window, "what the window counts")
    factor, cap_s = _open_waits(fields)
    open_s = take("waitDurationInOpenState", _time, "time in the open state")
    if open_s is not None and cap_s is None and factor is not None:
        cap_s = max(open_s, NO_CAP_S)
    half_open_s = take("maxWaitDurationInHalfOpenState", _time, "longest time in the half open state (0: no bound)")
    fields.ignore("initialState", "put the started circuit into a state by hand: circuit.force(now_s, state)")
    fields.ignore("transitionToStateAfterWaitDuration", "the half open state always ends in the open one")
    settings = {
        "window": window,
        "window_size": take("slidingWindowSize", whole, "size of the window"),
        "minimum_calls": take("minimumNumberOfCalls", whole, "calls before a rate counts"),
        "failure_rate_ratio": take("failureRateThreshold", percent, "failure rate that opens"),
        "slow_call_rate_ratio": take("slowCallRateThreshold", percent, "rate of slow calls that opens"),
        "slow_call_s": take("slowCallDurationThreshold", _time, "from when on a call is slow"),
        "open_s": open_s,
        "open_factor": factor,
        "open_cap_s": cap_s if cap_s is not None else None if open_s is None else max(open_s, 86_400.0),
        "half_open_s": half_open_s or None,
        "permitted_half_open_calls": take("permittedNumberOfCallsInHalfOpenState", whole, "calls on trial"),
        "automatic": take("automaticTransitionFromOpenToHalfOpenEnabled", yes_or_no, "half open without a call"),
    }
    fields.finish(GENERAL | RENAMED)
    breaker = made(fields.path, CircuitBreaker, **settings)
    if breaker.calls_needed < breaker.minimum_calls:
        fields.moot("minimumNumberOfCalls", f"a window of {breaker.window_size} calls never holds more than these")
    return breaker


def _open_waits(fields: Fields) -> tuple[float | None, float | None]:
    """The factor and the cap by which the waits in the open state grow, if they do."""
    exponential = fields.take("enableExponentialBackoff", yes_or_no, "whether waits grow")
    factor = fields.take("exponentialBackoffMultiplier", number, "factor of the waits in the open state")
    cap_s = fields.take("exponentialMaxWaitDurationInOpenState", _time, "longest wait in the open state")
    for name in ("enableRandomizedWait", "randomizedWaitFactor"):
        fields.ignore(name, "waits in the open state are not random here")
    if exponential:
        return 1.5 if factor is None else factor, cap_s
    for name in ("exponentialBackoffMultiplier", "exponentialMaxWaitDurationInOpenState"):
        fields.moot(name, "enableExponentialBackoff is not true")
    return None, None


def _window(path: str, value: Any) -> Window:
    words = {"COUNT_BASED": Window.COUNT, "TIME_BASED": Window.TIME}
    word = str(value).upper().replace("-", "_")
    if word not in words:
        raise checks.refuse(path, value, "give COUNT_BASED or TIME_BASED")
    return words[word]


def _retry(fields: Fields) -> Retry:
    take = fields.take
    attempts = take("maxAttempts", whole, "attempts in all, the first included")
    wait_s = take("waitDuration", _time, "wait between attempts")
    exponential = take("enableExponentialBackoff", yes_or_no, "whether waits grow")
    random = take("enableRandomizedWait", yes_or_no, "whether waits are spread")
    factor = take("exponentialBackoffMultiplier", number, "factor of the waits")
    cap_s = take("exponentialMaxWaitDuration", _time, "longest wait")
    spread = take("randomizedWaitFactor", number, "how far waits are spread")
    fields.ignore("failAfterMaxAttempts", "concerns the kind of exception at the end")
    fields.finish(GENERAL | RENAMED)
    _moot_waits(fields, wait_s, bool(exponential), bool(random))
    if wait_s is None:
        return made(fields.path, Retry, attempts=attempts)
    backoff = made(
        fields.path,
        Backoff,
        first_wait_s=wait_s,
        factor=(1.5 if factor is None else factor) if exponential else 1.0,
        cap_s=cap_s if exponential and cap_s is not None else max(wait_s, NO_CAP_S),
        jitter=Jitter.AROUND if random else Jitter.NONE,
        around_ratio=spread if random else None,
    )
    return made(fields.path, Retry, attempts=attempts, backoff=backoff)


def _moot_waits(fields: Fields, wait_s: float | None, exponential: bool, random: bool) -> None:
    """Notes the fields of a retry's waits that have no effect, since another one is missing."""
    growing, spread = ("exponentialBackoffMultiplier", "exponentialMaxWaitDuration"), ("randomizedWaitFactor",)
    if wait_s is None:
        for name in ("enableExponentialBackoff", "enableRandomizedWait", *growing, *spread):
            fields.moot(name, "waitDuration is missing")
        return
    for name in () if exponential else growing:
        fields.moot(name, "enableExponentialBackoff is not true")
    for name in () if random else spread:
        fields.moot(name, "enableRandomizedWait is not true")


def _limiter(fields: Fields) -> PermitsPerPeriod:
    settings = {
        "limit": fields.take("limitForPeriod", whole, "permits in a period"),
        "period_s": fields.take("limitRefreshPeriod", _time, "length of a period"),
        "timeout_s": fields.take("timeoutDuration", _time, "longest wait for a permit"),
    }
    fields.finish(GENERAL)
    return made(fields.path, PermitsPerPeriod, **settings)


def _bulkhead(fields: Fields) -> Bulkhead:
    settings = {
        "limit": fields.take("maxConcurrentCalls", whole, "calls under way at most"),
        "longest_wait_s": fields.take("maxWaitDuration", _time, "longest wait for a place"),
    }
    fields.ignore("fairCallHandlingStrategyEnabled", "who waits is served in order")
    fields.finish(GENERAL | RENAMED)
    return made(fields.path, Bulkhead, **settings)


def _timeout(fields: Fields) -> Timeout:
    after_s = fields.take("timeoutDuration", _time, "how long a caller waits")
    fields.ignore("cancelRunningFuture", "what becomes of the work is the client's business")
    fields.finish(GENERAL)
    return made(fields.path, Timeout, after_s=after_s)


READERS: dict[str, tuple[str, Callable[[Fields], Policy]]] = {
    "circuitbreaker": ("circuit breaker", _breaker),
    "retry": ("retry", _retry),
    "ratelimiter": ("rate limiter", _limiter),
    "bulkhead": ("bulkhead", _bulkhead),
    "timelimiter": ("timeout", _timeout),
}
"""The modules: their kind of policy, and who reads one."""
