"""Envoy: clusters with circuit breakers, outlier detection, health checks and balancing; routes with timeouts and
retries.

Follows: the v3 API (`envoy.config.cluster.v3.Cluster`, `envoy.config.route.v3`). A document is a bootstrap, a list of
resources as discovery services give them, a cluster, a route configuration, or a dump of a running Envoy; field names
may be in snake or camel case. Policies stand under their cluster's name; a route whose cluster has a policy of that
kind already, with other values, stands under "CLUSTER ROUTE".

Left out: connections (their limits and timeouts), extensions, weighted clusters' shares, and whatever moves bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ... import checks
from .envoy_cluster import read_cluster
from .envoy_route import read_routes
from .fields import Fields, Notes, document_path
from .report import Note, Policy

TYPE = re.compile(r"type\.googleapis\.com/envoy\.(?P<rest>.+)")
NOT_GOVERNANCE = "says nothing about when and where calls are made"
MANAGER = "HttpConnectionManager"
MARKS = {"static_resources", "resources", "clusters", "load_assignment", "outlier_detection", "circuit_breakers"}
MARKS |= {"virtual_hosts", "lb_policy", "connect_timeout", "static_clusters", "health_checks", "dynamic_resources"}
MARKS |= {"static_route_configs", "dynamic_active_clusters", "dynamic_route_configs"}
DUMPED = {
    "static_clusters": "cluster", "dynamic_active_clusters": "cluster", "dynamic_warming_clusters": "cluster",
    "static_route_configs": "route_config", "dynamic_route_configs": "route_config",
}  # fmt: skip
"""The lists of a dump (`/config_dump` of the admin interface), and where in their members the message is."""


def spelling(name: str) -> str:
    """The one form of names that Protobuf's JSON takes for the same: snake case."""
    if name.startswith("@"):
        return name
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().replace("consecutive5xx", "consecutive_5xx")


def recognises(document: dict[Any, Any]) -> bool:
    """Whether a document is one of Envoy's."""
    if TYPE.match(str(document.get("@type", ""))):
        return True
    configs = document.get("configs")
    if isinstance(configs, list) and any(isinstance(each, dict) and recognises(each) for each in configs):
        return True
    return bool(MARKS & {spelling(str(name)) for name in document})


def read(documents: list[Any], notes: Notes) -> dict[str, dict[str, Policy]]:
    """The policies by cluster, then by kind."""
    found: dict[str, dict[str, Policy]] = {}
    for position, document in enumerate(documents):
        members = document if isinstance(document, list) else [document]
        for number, member in enumerate(members):
            path = f"{document_path(position)}[{number}]" if isinstance(document, list) else document_path(position)
            _read_message(Fields(member, path, notes, spelling), found)
    return found


def _read_message(fields: Fields, found: dict[str, dict[str, Policy]]) -> None:
    kind = _type_of(fields)
    if "static_resources" in fields:
        static = fields.section("static_resources")
        if static is not None:
            _read_static(static, found)
    elif "resources" in fields:
        for resource in fields.objects("resources"):
            _read_message(resource, found)
    elif "clusters" in fields:
        for cluster in fields.objects("clusters"):
            _read_message(cluster, found)
    elif "configs" in fields or DUMPED.keys() & {name for name, _ in fields.names()}:
        _read_dump(fields, found)
    elif "dynamic_resources" in fields:
        fields.ignore("dynamic_resources", "names the servers that have the clusters; give what they send")
    elif kind.endswith("RouteConfiguration") or "virtual_hosts" in fields:
        read_routes(fields, found)
        return
    elif kind.endswith("Listener") or "filter_chains" in fields:
        _read_listener(fields, found)
    elif kind.endswith("Cluster") or not kind:
        read_cluster(fields, found)
        return
    fields.finish(dict.fromkeys((name for name, _ in fields.names()), NOT_GOVERNANCE))


def _read_dump(dump: Fields, found: dict[str, dict[str, Policy]]) -> None:
    """What a running Envoy says of itself: the last word on its clusters and routes."""
    for config in dump.objects("configs"):
        if DUMPED.keys() & {name for name, _ in config.names()}:
            _read_message(config, found)
        else:
            dump.notes.ignored.append(Note(config.path, config.raw("@type"), NOT_GOVERNANCE))
    for list_of, inside in DUMPED.items():
        for member in dump.objects(list_of):
            message = member.section(inside)
            if message is not None:
                _read_message(message, found)
            member.finish(dict.fromkeys((name for name, _ in member.names()), NOT_GOVERNANCE))


def _type_of(fields: Fields) -> str:
    """The message's type, empty if it does not say; a version other than 3 is refused."""
    value = fields.raw("@type")
    match = TYPE.match(str(value or ""))
    if value is not None and match is None:
        raise checks.refuse(fields.at("@type"), value, "give a type of Envoy's, as envoy.config.cluster.v3.Cluster")
    if match is None:
        return ""
    if re.search(r"\.v\d", match["rest"]) and not re.search(r"\.v3\.", match["rest"]):
        raise checks.refuse(fields.at("@type"), value, "give a message of the v3 API; others are not read")
    return match["rest"]


def _read_static(static: Fields, found: dict[str, dict[str, Policy]]) -> None:
    for cluster in static.objects("clusters"):
        _type_of(cluster)
        read_cluster(cluster, found)
    for listener in static.objects("listeners"):
        _read_listener(listener, found)
    static.finish({"secrets": NOT_GOVERNANCE})


def _read_listener(listener: Fields, found: dict[str, dict[str, Policy]]) -> None:
    _type_of(listener)
    for manager in _managers(listener):
        routes = manager.section("route_config")
        if routes is not None:
            read_routes(routes, found)
        manager.finish(dict.fromkeys((name for name, _ in manager.names()), NOT_GOVERNANCE))
    listener.finish(dict.fromkeys((name for name, _ in listener.names()), NOT_GOVERNANCE))


def _managers(listener: Fields) -> Iterator[Fields]:
    """The HTTP connection managers of a listener's filter chains."""
    chains = list(listener.objects("filter_chains"))
    default = listener.section("default_filter_chain")
    for chain in [*chains, *([] if default is None else [default])]:
        for each in chain.objects("filters"):
            config = each.section("typed_config")
            if config is not None and _type_of(config).endswith(MANAGER):
                yield config
            elif config is not None:
                config.notes.ignored.append(Note(config.path, config.raw("@type"), f"no {MANAGER}: it has no routes"))
            each.finish(dict.fromkeys((name for name, _ in each.names()), NOT_GOVERNANCE))
        chain.finish(dict.fromkeys((name for name, _ in chain.names()), NOT_GOVERNANCE))
