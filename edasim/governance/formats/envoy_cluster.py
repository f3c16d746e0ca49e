"""An Envoy cluster: limits of requests and retries, outlier detection, health checks, and the balancing policy.

Follows: `envoy.config.cluster.v3` (Cluster, CircuitBreakers, OutlierDetection) and
`envoy.config.core.v3.HealthCheck`, with the defaults of `outlier_detection_impl.cc` and `circuit_breaker.proto`. What
Envoy calls circuit breakers are limits on how much is under way: `max_requests` becomes a bulkhead, `max_retries` and
`retry_budget` a retry budget.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ... import checks
from ..balancing import Balancing, PowerOfChoices, Random, RoundRobin
from ..budget import ShareOfActive
from ..concurrency import Bulkhead
from ..hashing import ConsistentHash
from ..health import Probe
from ..outliers import OutlierDetection
from .durations import seconds
from .fields import Fields, made, number, percent, whole, yes_or_no
from .report import Policy

CONNECTIONS = "connections are not modelled"
NOT_GOVERNANCE = "says nothing about when and where calls are made"
DNS = "how endpoints are found is not modelled here"
CLUSTER = {
    "type": DNS,
    "cluster_type": DNS,
    "load_assignment": "endpoints are those of the simulation",
    "eds_cluster_config": "endpoints are those of the simulation",
    "dns_lookup_family": DNS,
    "dns_refresh_rate": DNS,
    "respect_dns_ttl": DNS,
    "connect_timeout": CONNECTIONS,
    "upstream_connection_options": CONNECTIONS,
    "per_connection_buffer_limit_bytes": CONNECTIONS,
    "max_requests_per_connection": CONNECTIONS,
    "transport_socket": CONNECTIONS,
    "http_protocol_options": CONNECTIONS,
    "http2_protocol_options": CONNECTIONS,
    "common_http_protocol_options": CONNECTIONS,
    "typed_extension_protocol_options": CONNECTIONS,
    "upstream_bind_config": CONNECTIONS,
    "alt_stat_name": NOT_GOVERNANCE,
    "metadata": NOT_GOVERNANCE,
    "@type": NOT_GOVERNANCE,
    "lb_subset_config": "subsets of endpoints are not modelled",
    "slow_start_config": "slow start is not modelled",
    "filters": "extensions are not read",
    "upstream_config": "extensions are not read",
    "lrs_server": NOT_GOVERNANCE,
    "track_timeout_budgets": NOT_GOVERNANCE,
    "track_cluster_stats": NOT_GOVERNANCE,
    "wait_for_warm_on_init": NOT_GOVERNANCE,
    "ignore_health_on_host_removal": "updates take effect at once",
    "upstream_http_protocol_options": CONNECTIONS,
    "protocol_selection": CONNECTIONS,
    "transport_socket_matches": CONNECTIONS,
    "preconnect_policy": CONNECTIONS,
    "connection_pool_per_downstream_connection": CONNECTIONS,
    "close_connections_on_host_health_failure": CONNECTIONS,
    "drain_connections_on_host_removal": CONNECTIONS,
    "cleanup_interval": DNS,
    "dns_resolvers": DNS,
    "dns_resolution_config": DNS,
    "typed_dns_resolver_config": DNS,
    "use_tcp_for_dns_lookups": DNS,
    "dns_failure_refresh_rate": DNS,
    "dns_jitter": DNS,
}
SPLIT = "local and external errors are not told apart"
OUTLIERS = {
    "split_external_local_origin_errors": SPLIT,
    "consecutive_local_origin_failure": SPLIT,
    "enforcing_consecutive_local_origin_failure": SPLIT,
    "enforcing_local_origin_success_rate": SPLIT,
    "enforcing_failure_percentage_local_origin": SPLIT,
    "max_ejection_time_jitter": "ejections are not spread",
    "successful_active_health_check_uneject_host": "active checks do not end ejections here",
    "monitors": "extensions are not read",
}
DETECTIONS: dict[str, tuple[int, tuple[str, ...]]] = {
    "consecutive_5xx": (100, ("consecutive_5xx",)),
    "success_rate": (100, ("success_rate_minimum_hosts", "success_rate_request_volume", "success_rate_stdev_factor")),
    "consecutive_gateway_failure": (0, ("consecutive_gateway_failure",)),
    "failure_percentage": (
        0,
        ("failure_percentage_threshold", "failure_percentage_minimum_hosts", "failure_percentage_request_volume"),
    ),
}
"""The detections: to what percentage Envoy enforces each unless told otherwise, and the fields that say how."""
ROUTED = {"timeout", "retry", "timeout of an attempt"}
"""The kinds of policies that routes add to a cluster."""
HANDLERS = ("http_health_check", "tcp_health_check", "grpc_health_check", "custom_health_check")
JITTER = "intervals are not spread"


def read_cluster(cluster: Fields, found: dict[str, dict[str, Policy]]) -> None:
    """Adds the policies of a cluster under its name."""
    name = checks.check_text(cluster.at("name"), cluster.raw("name"))
    policies = found.setdefault(name, {})
    if not policies.keys() <= ROUTED:
        raise checks.refuse(cluster.at("name"), name, "give each cluster once")
    balancing = _balancing(cluster)
    if balancing is not None:
        policies["balancing"] = balancing
    breakers = cluster.section("circuit_breakers")
    if breakers is not None:
        policies |= _limits(breakers)
        found[name] = policies
    outliers = cluster.section("outlier_detection")
    if outliers is not None:
        policies["outlier detection"] = _outliers(outliers)
    for position, check in enumerate(cluster.objects("health_checks")):
        probe = _probe(check)
        policies["health check" if position == 0 else f"health check {position + 1}"] = probe
    cluster.finish(CLUSTER)


def _percent_object(fields: Fields, name: str, says: str) -> float | None:
    """A `Percent`, which is an object with a value; a bare number is taken as well."""
    if isinstance(fields.raw(name), dict):
        section = fields.section(name)
        assert section is not None
        value = section.take("value", percent, says)
        section.finish({})
        return 0.0 if value is None else value
    return fields.take(name, percent, says)


def _limits(breakers: Fields) -> dict[str, Policy]:
    made_of: dict[str, Policy] = {}
    for thresholds in breakers.objects("thresholds"):
        priority = str(thresholds.raw("priority") or "DEFAULT")
        prefix = "" if priority in {"DEFAULT", "0"} else f"{priority.lower()} priority "
        if f"{prefix}bulkhead" in made_of:
            thresholds.finish(
                dict.fromkeys((name for name, _ in thresholds.names()), "the first of a priority is used")
            )
            continue
        limit = thresholds.take("max_requests", whole, "requests under way at most")
        made_of[f"{prefix}bulkhead"] = made(thresholds.path, Bulkhead, limit=1024 if limit is None else limit)
        made_of[f"{prefix}retry budget"] = _budget(thresholds)
        thresholds.finish(
            {
                "max_connections": CONNECTIONS,
                "max_connection_pools": CONNECTIONS,
                "max_pending_requests": "requests that wait for a connection are not modelled",
                "track_remaining": "concerns statistics",
            }
        )
    breakers.finish({"per_host_thresholds": "limits for each endpoint are not modelled"})
    return made_of


def _budget(thresholds: Fields) -> ShareOfActive:
    budget = thresholds.section("retry_budget")
    if budget is None:
        retries = thresholds.take("max_retries", whole, "retries under way at most")
        return made(thresholds.path, ShareOfActive, ratio=0.0, minimum=3 if retries is None else retries)
    thresholds.ignore("max_retries", "a retry budget takes its place")
    ratio = _percent_object(budget, "budget_percent", "share of what is under way that may be retries")
    minimum = budget.take("min_retry_concurrency", whole, "retries that may always be under way")
    budget.finish({"budget_interval": "the share is of what is under way at the moment"})
    return made(budget.path, ShareOfActive, ratio=ratio, minimum=minimum)


def _outliers(fields: Fields) -> OutlierDetection:
    take = fields.take
    base_s = take("base_ejection_time", seconds, "length of a first ejection")
    longest_s = take("max_ejection_time", seconds, "longest ejection")
    settings: dict[str, Any] = {
        "interval_s": take("interval", seconds, "time from sweep to sweep"),
        "base_s": base_s,
        "longest_s": max(300.0, base_s or 0.0) if longest_s is None else longest_s,
        "most_ratio": take("max_ejection_percent", percent, "share of the endpoints that may be ejected"),
        "always_one": take("always_eject_one_host", yes_or_no, "one may be ejected whatever the share"),
    }
    failures = take("consecutive_5xx", whole, "failures in a row that eject")
    gateway = take("consecutive_gateway_failure", whole, "gateway failures in a row that eject")
    settings |= _rates(fields)
    enforced = _enforced(fields)
    if not enforced["failure_percentage"]:
        settings["failure_ratio"] = None
    settings["by_success_rate"] = enforced["success_rate"]
    settings["consecutive_gateway_failures"] = (gateway or 5) if enforced["consecutive_gateway_failure"] else None
    fields.finish(OUTLIERS)
    never = failures == 0 or not enforced["consecutive_5xx"]
    policy = made(fields.path, OutlierDetection, consecutive_failures=None if never else failures, **settings)
    return dataclasses.replace(policy, consecutive_failures=None) if never else policy


def _rates(fields: Fields) -> dict[str, Any]:
    """What is asked of success rates and failure percentages."""
    take = fields.take
    deviations = take("success_rate_stdev_factor", number, "standard deviations below the mean, in thousandths")
    failing = take("failure_percentage_threshold", percent, "failure percentage that ejects")
    return {
        "success_rate_hosts": take("success_rate_minimum_hosts", whole, "endpoints needed for success rates"),
        "success_rate_requests": take("success_rate_request_volume", whole, "requests needed for a success rate"),
        "success_rate_deviations": None if deviations is None else deviations / 1000.0,
        "failure_ratio": 0.85 if failing is None else failing,
        "failure_hosts": take("failure_percentage_minimum_hosts", whole, "endpoints needed for failure percentages"),
        "failure_requests": take("failure_percentage_request_volume", whole, "requests needed for a percentage"),
    }


def _enforced(fields: Fields) -> dict[str, bool]:
    """Which detections eject; of percentages between 0 and 100 it is noted that here all detections count."""
    found = {}
    for name, (default, detected_by) in DETECTIONS.items():
        value = fields.take(f"enforcing_{name}", percent, "whether what is detected is ejected")
        value = default / 100.0 if value is None else value
        found[name] = value > 0.0
        if 0.0 < value < 1.0:
            fields.partly(f"enforcing_{name}", f"{value:.0%} of what is detected is ejected there, all of it here")
        for field in () if found[name] else detected_by:
            fields.moot(field, f"enforcing_{name} is 0" + (" unless told otherwise" if default == 0 else ""))
    return found


def _probe(check: Fields) -> Probe:
    """A health check; Envoy begins with its first answer, here a verdict begins as its user says."""
    settings = {
        "period_s": check.take("interval", seconds, "time from check to check"),
        "timeout_s": check.take("timeout", seconds, "longest wait for the answer"),
        "failure_threshold": check.take("unhealthy_threshold", whole, "bad answers in a row until ill"),
        "success_threshold": check.take("healthy_threshold", whole, "good answers in a row until well"),
    }
    for name, value in settings.items():
        if value is None:
            raise checks.refuse(check.path, name, "give timeout, interval, unhealthy_threshold and healthy_threshold")
    asked = [handler for handler in HANDLERS if handler in check]
    if len(asked) != 1:
        raise checks.refuse(check.path, asked, f"give one of {', '.join(HANDLERS)}")
    check.ignore(asked[0], "how the check asks is not modelled")
    reasons = dict.fromkeys(("initial_jitter", "interval_jitter", "interval_jitter_percent"), JITTER)
    others = ("no_traffic_interval", "no_traffic_healthy_interval", "unhealthy_interval", "unhealthy_edge_interval")
    reasons |= dict.fromkeys((*others, "healthy_edge_interval"), "the interval is always the same")
    reasons |= dict.fromkeys(("reuse_connection", "event_log_path", "tls_options", "alt_port"), NOT_GOVERNANCE)
    logged = ("event_logger", "always_log_health_check_failures", "always_log_health_check_success")
    reasons |= dict.fromkeys((*logged, "transport_socket_match_criteria"), NOT_GOVERNANCE)
    check.finish(reasons)
    return made(check.path, Probe, **settings)


def _balancing(cluster: Fields) -> Balancing | None:
    common = cluster.section("common_lb_config")
    panic = bound = None
    if common is not None:
        panic = _percent_object(
            common, "healthy_panic_threshold", "share of healthy endpoints below which panic begins"
        )
        hashing = common.section("consistent_hashing_lb_config")
        if hashing is not None:
            factor = hashing.take("hash_balance_factor", number, "bound on an endpoint's load, in percent of the mean")
            bound = factor / 100.0 if factor else None
            hashing.finish({"use_hostname_for_hashing": "endpoints are hashed by their names"})
        common.finish(
            {
                "zone_aware_lb_config": "zones by the callers' numbers are not modelled; see ByLocality",
                "locality_weighted_lb_config": "weights of zones are not modelled",
                "update_merge_window": "updates take effect at once",
                "ignore_new_hosts_until_first_hc": "updates take effect at once",
                "close_connections_on_host_set_change": CONNECTIONS,
            }
        )
    policy, choices = _extension(cluster)
    if policy is None:
        policy = str(cluster.raw("lb_policy") or "ROUND_ROBIN").upper()
        if policy in {"CLUSTER_PROVIDED", "LOAD_BALANCING_POLICY_CONFIG"}:
            cluster.ignore("lb_policy", "the policy is an extension's, which is not read")
        elif "lb_policy" in cluster:
            stands_for = "; a ring stands for Maglev's table" if policy == "MAGLEV" else ""
            cluster.take("lb_policy", checks.check_text, f"the balancing policy{stands_for}")
        choices = _choices(cluster)
    for name in ("ring_hash_lb_config", "maglev_lb_config", "round_robin_lb_config", "original_dst_lb_config"):
        cluster.ignore(name, "the size of tables is not modelled")
    match policy:
        case "ROUND_ROBIN":
            return made(cluster.path, RoundRobin, panic_ratio=panic)
        case "RANDOM":
            return made(cluster.path, Random, panic_ratio=panic)
        case "LEAST_REQUEST":
            return made(cluster.path, PowerOfChoices, panic_ratio=panic, choices=choices)
        case "RING_HASH" | "MAGLEV":
            return made(cluster.path, ConsistentHash, panic_ratio=panic, bound=bound)
        case "CLUSTER_PROVIDED" | "LOAD_BALANCING_POLICY_CONFIG":
            return None
    known = "ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH or MAGLEV"
    raise checks.refuse(cluster.at("lb_policy"), policy, f"give {known}; others are not modelled")


def _extension(cluster: Fields) -> tuple[str | None, int | None]:
    """The first policy of `load_balancing_policy` that is known here, which takes the place of `lb_policy`, and how
    many it draws.
    """
    section = cluster.section("load_balancing_policy")
    if section is None:
        return None, None
    found: str | None = None
    choices: int | None = None
    for each in section.objects("policies"):
        extension = each.section("typed_extension_config")
        config = None if extension is None else extension.section("typed_config")
        kind = "" if config is None else str(config.raw("@type") or "")
        word = EXTENSIONS.get(kind.rpartition(".")[2])
        if config is None or word is None or found is not None:
            each.ignore("typed_extension_config", "an earlier policy is used" if found else "extensions are not read")
            continue
        found = word
        config.take("@type", checks.check_text, "the balancing policy, in place of lb_policy")
        if word == "LEAST_REQUEST":
            choices = config.take("choice_count", whole, "endpoints drawn")
        config.finish(dict.fromkeys((name for name, _ in config.names()), "the policy's details are not modelled"))
        each.finish({})
    cluster.ignore("lb_policy", "load_balancing_policy takes its place")
    section.finish({})
    return found, choices


EXTENSIONS = {
    "RoundRobin": "ROUND_ROBIN",
    "LeastRequest": "LEAST_REQUEST",
    "Random": "RANDOM",
    "RingHash": "RING_HASH",
    "Maglev": "MAGLEV",
}
"""The last word of the type of an extension, and the policy that it is."""


def _choices(cluster: Fields) -> int | None:
    section = cluster.section("least_request_lb_config")
    if section is None:
        return None
    choices = section.take("choice_count", whole, "endpoints drawn")
    section.finish({"active_request_bias": "weights do not count", "slow_start_config": "slow start is not modelled"})
    return choices
