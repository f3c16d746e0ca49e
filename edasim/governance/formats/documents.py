"""Text to plain data: YAML (safe, several documents, anchors), JSON or Java's properties, without repeated keys,
bounded in size and depth.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import ConfigurationError

MOST_CHARACTERS = 1_000_000
MOST_NODES = 100_000
MOST_DEPTH = 60
NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool")}


def read_documents(text: str, source: str) -> list[Any]:
    """The documents of a text, without empty ones; anchors are resolved, and what they unfold to counts in full."""
    if len(text) > MOST_CHARACTERS:
        raise broken(source, f"has {len(text):,} characters", f"give at most {MOST_CHARACTERS:,}")
    suffix = source.lower().rpartition(".")[2]
    found = {"json": _json, "properties": _properties}.get(suffix, _yaml)(text, source)
    documents = [document for document in found if document is not None]
    budget = [MOST_NODES]
    for document in documents:
        _measure(document, source, budget, 0)
    return documents


def broken(source: str, problem: str, remedy: str) -> ConfigurationError:
    """The error for a text that is no document; raise what this returns."""
    return ConfigurationError(f"{source} {problem}", field=source, remedy=remedy)


def _measure(node: Any, source: str, budget: list[int], depth: int) -> None:
    budget[0] -= 1
    if budget[0] < 0 or depth > MOST_DEPTH:
        raise broken(source, "is too large or too deep when its anchors are unfolded", "give a smaller file")
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str | int | float | bool):
                raise broken(source, f"has a key {key!r}", "give keys that are texts")
            _measure(value, source, budget, depth + 1)
    elif isinstance(node, list):
        for value in node:
            _measure(value, source, budget, depth + 1)


def _json(text: str, source: str) -> list[Any]:
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in members:
            if name in made:
                raise broken(source, f"has the key {name!r} twice", "give each key once")
            made[name] = value
        return made

    try:
        return [json.loads(text, object_pairs_hook=pairs)]
    except (json.JSONDecodeError, RecursionError) as error:
        raise broken(source, f"is no JSON ({error})", "give a JSON document") from None


def _properties(text: str, source: str) -> list[Any]:
    """Java's properties: a name and a value a line, comments after # or !, lines that go on after a backslash.

    A line of three dashes begins another document, as Spring has it. Left out: escapes.
    """
    documents: list[Any] = [{}]
    for line in re.sub(r"\\\r?\n[ \t]*", "", text).splitlines():
        if re.fullmatch(r"[#!]---\s*", line):
            documents.append({})
        match = re.fullmatch(r"\s*(?P<name>[^\s=:#!][^\s=:]*)\s*[=:\s]\s*(?P<value>.*?)\s*", line)
        if match is None:
            if line.strip() and line.strip()[0] not in "#!":
                raise broken(source, f"has the line {line.strip()!r}", "give NAME=VALUE in each line")
            continue
        if match["name"] in documents[-1]:
            raise broken(source, f"has the key {match['name']!r} twice", "give each key once")
        documents[-1][match["name"]] = match["value"]
    return [document for document in documents if document]


def _yaml(text: str, source: str) -> list[Any]:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """The safe loader, which refuses repeated keys."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        names: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise broken(source, "has a key that is a list or an object", "give keys that are texts")
            if key.value in names and key.tag != "tag:yaml.org,2002:merge":
                raise broken(source, f"has the key {key.value!r} twice", "give each key once")
            names.add(key.value)
            if key.tag in NUMBERS:  # a name that looks like a number is a text: 1, 1.0 and true are three names
                key.tag = "tag:yaml.org,2002:str"
        loader.flatten_mapping(node)
        made: dict[Any, Any] = loader.construct_mapping(node, deep=True)
        return made

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return list(yaml.load_all(text, Loader=Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        reason = re.sub(r"\s+", " ", str(error))
        raise broken(source, f"is no YAML ({reason})", "give a YAML document") from None
