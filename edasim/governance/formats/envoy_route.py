"""Envoy's routes: the timeout of a request and of an attempt, and the retry policy, of each cluster that is routed to.

Follows: `envoy.config.route.v3` (RouteAction, RetryPolicy) and the router filter's documentation: 1 retry unless told
otherwise, 15 s for the whole request, fully jittered back-off from 25 ms to ten times that. `retry_on` conditions
become kinds of failures (`CONDITIONS`). A virtual host's retry policy holds for its routes that have none.
"""

from __future__ import annotations

from typing import Any

from ... import checks
from ..deadlines import Timeout
from ..failures import Failure
from ..retry import Backoff, Jitter, Retry
from .durations import seconds
from .fields import Fields, made, whole
from .report import Note, Policy

NOT_GOVERNANCE = "says nothing about when calls are made again"
ALL_5XX = frozenset({Failure.ERROR, Failure.OVERLOADED, Failure.TIMEOUT, Failure.UNREACHABLE})
CONDITIONS: dict[str, frozenset[Failure]] = {
    "5xx": ALL_5XX,
    "gateway-error": ALL_5XX - {Failure.ERROR},
    "reset": frozenset({Failure.TIMEOUT, Failure.UNREACHABLE}),
    "reset-before-request": frozenset({Failure.UNREACHABLE}),
    "connect-failure": frozenset({Failure.UNREACHABLE}),
    "refused-stream": frozenset({Failure.OVERLOADED}),
    "envoy-ratelimited": frozenset({Failure.OVERLOADED}),
    "deadline-exceeded": frozenset({Failure.TIMEOUT}),
    "internal": frozenset({Failure.ERROR}),
    "resource-exhausted": frozenset({Failure.OVERLOADED}),
    "unavailable": frozenset({Failure.OVERLOADED, Failure.UNREACHABLE}),
}
"""Which kinds of failures a condition of `retry_on` stands for."""
NOT_MODELLED = {
    "retriable-4xx": "conflicts (409) are no kind of failure here",
    "retriable-headers": "headers of answers are not modelled",
    "cancelled": "cancelled calls are no kind of failure here",
    "http3-post-connect-failure": "connections are not modelled",
}
CODES = {
    429: Failure.OVERLOADED,
    500: Failure.ERROR,
    502: Failure.UNREACHABLE,
    503: Failure.OVERLOADED,
    504: Failure.TIMEOUT,
}
HEADERS = (
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
)
COMMON = {*HEADERS, "metadata", "typed_per_filter_config", "per_request_buffer_limit_bytes", "request_mirror_policies"}
OTHERS = {
    "configuration": COMMON
    | {"@type", "name", "vhds", "internal_only_headers", "most_specific_header_mutations_wins", "validate_clusters"}
    | {"max_direct_response_body_size_bytes", "cluster_specifier_plugins", "ignore_port_in_host_matching"}
    | {"ignore_path_parameters_in_path_matching"},
    "host": COMMON
    | {"name", "domains", "matcher", "require_tls", "virtual_clusters", "rate_limits", "cors", "hedge_policy"}
    | {"include_request_attempt_count", "include_attempt_count_in_response", "include_is_timeout_retry_header"}
    | {"retry_policy_typed_config"},
    "route": COMMON
    | {"name", "match", "redirect", "direct_response", "filter_action", "non_forwarding_action", "decorator", "tracing"}
    | {"stat_prefix"},
    "action": COMMON
    | {"cluster_header", "cluster_specifier_plugin", "inline_cluster_specifier_plugin", "metadata_match", "hash_policy"}
    | {"cluster_not_found_response_code", "prefix_rewrite", "regex_rewrite", "path_rewrite_policy", "auto_host_rewrite"}
    | {"host_rewrite_literal", "host_rewrite_header", "host_rewrite_path_regex", "append_x_forwarded_host"}
    | {"idle_timeout", "flush_timeout", "early_data_policy", "retry_policy_typed_config", "priority", "rate_limits"}
    | {"include_vh_rate_limits", "cors", "max_grpc_timeout", "grpc_timeout_offset", "upgrade_configs"}
    | {"internal_redirect_policy", "internal_redirect_action", "max_internal_redirects", "max_stream_duration"},
}
"""The other fields of these messages, which say nothing about retries and timeouts."""
WHOLE_S, BASE_S = 15.0, 0.025
"""Envoy's timeout of a request, and the base of its back-off, in seconds."""


def read_routes(configuration: Fields, found: dict[str, dict[str, Policy]]) -> None:
    """Adds the policies of all routes under the names of their clusters."""
    for host in configuration.objects("virtual_hosts"):
        policy = host.section("retry_policy")
        inherited = None if policy is None else _retry(policy)
        for route in host.objects("routes"):
            action = route.section("route")
            if action is not None:
                _read_action(action, _match(route), inherited, found)
            route.finish(dict.fromkeys(OTHERS["route"], NOT_GOVERNANCE))
        host.finish(dict.fromkeys(OTHERS["host"], NOT_GOVERNANCE))
    configuration.finish(dict.fromkeys(OTHERS["configuration"], NOT_GOVERNANCE))


def _match(route: Fields) -> str:
    """What a route is for, in a word."""
    name, match = route.raw("name"), route.raw("match")
    if isinstance(name, str) and name:
        return name
    return str(next(iter(match.values()), "route")) if isinstance(match, dict) else "route"


def _clusters(action: Fields) -> list[str]:
    cluster = action.raw("cluster")
    if cluster is not None:
        return [checks.check_text(action.at("cluster"), cluster)]
    names = []
    weighted = action.section("weighted_clusters")
    if weighted is not None:
        for each in weighted.objects("clusters"):
            names.append(checks.check_text(each.at("name"), each.raw("name")))
            each.finish({"weight": "shares of clusters are not modelled"})
        weighted.finish({"total_weight": "shares of clusters are not modelled"})
    return names


def _read_action(action: Fields, match: str, inherited: Any, found: dict[str, dict[str, Policy]]) -> None:
    clusters = _clusters(action)
    policies: dict[str, Policy] = {}
    whole_s = action.take("timeout", seconds, "how long the whole request may take (0: for ever)")
    if whole_s != 0.0:
        policies["timeout"] = Timeout(after_s=WHOLE_S if whole_s is None else whole_s)
    own = action.section("retry_policy")
    retry, attempt = (inherited or (None, None)) if own is None else _retry(own)
    if retry is not None:
        policies["retry"] = retry
    if attempt is not None:
        policies["timeout of an attempt"] = attempt
    hedging = action.section("hedge_policy")
    if hedging is not None:
        hedging.finish(dict.fromkeys((name for name, _ in hedging.names()), "give a Hedge in its place"))
    if not clusters:
        action.notes.ignored.append(Note(action.path, None, "names no cluster, so its policies govern nobody"))
    for cluster in clusters:
        _add(found, cluster, match, policies)
    action.finish(dict.fromkeys(OTHERS["action"], NOT_GOVERNANCE))


def _add(found: dict[str, dict[str, Policy]], cluster: str, match: str, policies: dict[str, Policy]) -> None:
    """Adds a route's policies to its cluster, or beside it if the cluster has others from another route."""
    present = found.setdefault(cluster, {})
    kinds = ("timeout", "retry", "timeout of an attempt")
    routed = any(kind in present for kind in kinds)
    if not routed or all(present.get(kind) == policies.get(kind) for kind in kinds):
        present.update(policies)
    else:
        found.setdefault(f"{cluster} {match}", {}).update(policies)


def _retry(fields: Fields) -> tuple[Retry, Timeout | None]:
    retries = fields.take("num_retries", whole, "retries after the first attempt")
    attempt_s = fields.take("per_try_timeout", seconds, "how long an attempt may take")
    base_s, cap_s = BASE_S, None
    backoff = fields.section("retry_back_off")
    if backoff is not None:
        base_s = backoff.take("base_interval", seconds, "ceiling of the first wait") or BASE_S
        cap_s = backoff.take("max_interval", seconds, "ceiling of all waits")
        backoff.finish({})
    failures = _failures(fields)
    for name in ("retry_host_predicate", "host_selection_retry_max_attempts", "retry_priority"):
        fields.ignore(name, "a retry goes where the balancer says")
    fields.ignore("per_try_idle_timeout", "answers come whole")
    fields.ignore("rate_limited_retry_back_off", "the server's word when to come back is not modelled")
    fields.ignore("retry_options_predicates", "extensions are not read")
    fields.finish(
        {"retriable_headers": "headers are not modelled", "retriable_request_headers": "headers are not modelled"}
    )
    waits = made(
        fields.path,
        Backoff,
        first_wait_s=base_s,
        factor=2.0,
        cap_s=10.0 * base_s if cap_s is None else cap_s,
        jitter=Jitter.FULL,
    )
    attempts = (1 if retries is None else retries) + 1
    retry = made(fields.path, Retry, attempts=attempts, backoff=waits, retry_on=failures)
    return retry, None if not attempt_s else Timeout(after_s=attempt_s)


def _failures(fields: Fields) -> frozenset[Failure]:
    """The kinds of failures that `retry_on` and `retriable_status_codes` stand for."""
    found: set[Failure] = set()
    conditions = fields.take("retry_on", checks.check_text, "kinds of failures that are tried again") or ""
    path = fields.at("retry_on")
    for word in (word.strip() for word in conditions.split(",") if word.strip()):
        if word == "retriable-status-codes":
            continue
        if word in CONDITIONS:
            found |= CONDITIONS[word]
        else:
            fields.notes.ignored.append(Note(path, word, NOT_MODELLED.get(word, f"unknown field {word!r}")))
    codes = fields.raw("retriable_status_codes")
    if codes is not None and "retriable-status-codes" not in conditions:
        fields.ignore("retriable_status_codes", "retry_on does not name retriable-status-codes")
    elif codes is not None:
        codes = fields.take("retriable_status_codes", _codes, "status codes that are tried again")
        for code in codes or ():
            if code in CODES:
                found.add(CODES[code])
            else:
                fields.notes.ignored.append(Note(fields.at("retriable_status_codes"), code, "no kind of failure here"))
    return frozenset(found)


def _codes(path: str, value: Any) -> list[int]:
    if not isinstance(value, list):
        raise checks.refuse(path, value, "give a list of status codes")
    return [whole(path, code) for code in value]
