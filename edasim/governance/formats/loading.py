"""From a file to its policies: reads the documents, recognises the format, and hands them to its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ConfigurationError
from . import envoy, kubernetes, resilience4j
from .documents import broken, read_documents
from .fields import Notes
from .report import Format, Loaded, Note

_READERS = {
    Format.RESILIENCE4J: resilience4j,
    Format.ENVOY: envoy,
    Format.KUBERNETES: kubernetes,
}
OLD = {
    "hystrix": "Hystrix, which is history",
    "sentinel": "Sentinel",
    "failsafe": "Failsafe",
}


def load(path: str | Path) -> Loaded:
    """The policies of a configuration file, with the notes on all its fields.

    Raises `ConfigurationError` if the file cannot be read, is of no format known here or of an unknown version, or
    holds a value that cannot be; the error names the field by its path.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", field="path", value=str(path)) from None
    return load_text(text, file.name)


def load_text(text: str, source: str = "text.yaml") -> Loaded:
    """As `load`, for a text; a `source` that ends in .json is read as JSON, one in .properties as Java's properties.

    >>> loaded = load_text("resilience4j.retry.instances.mail.maxAttempts: 4")
    >>> loaded.policy("mail", "retry").attempts, loaded.understood[0].path
    (4, 'resilience4j.retry.instances.mail.maxAttempts')
    """
    documents = read_documents(text, source)
    if not documents:
        raise broken(source, "is empty", "give a document")
    found = {recognise(document, source) for document in documents} - {None}
    if len(found) != 1:
        known = ", ".join(each.value for each in Format)
        problem = "mixes formats" if found else "is of no format that is known here"
        raise broken(source, problem, f"give a file of one of {known}")
    kind = found.pop()
    assert kind is not None
    notes = Notes()
    policies = {name: kinds for name, kinds in _READERS[kind].read(documents, notes).items() if kinds}
    return Loaded(source, kind, policies, once(notes.understood), once(notes.ignored))


def once(notes: list[Note]) -> tuple[Note, ...]:
    """The notes without those that say the same of the same field, as what several instances inherit."""
    return tuple({(note.path, note.says): note for note in notes}.values())


def recognise(document: Any, source: str) -> Format | None:
    """The format of a document, None if it tells nothing."""
    if isinstance(document, list):
        formats = {recognise(each, source) for each in document} - {None}
        return formats.pop() if len(formats) == 1 else None
    if not isinstance(document, dict):
        raise broken(source, f"holds {document!r}", "give an object with named fields")
    for kind, reader in _READERS.items():
        if reader.recognises(document):
            return kind
    for name, what in OLD.items():
        if any(str(key).split(".")[0].lower() == name for key in document):
            raise broken(source, f"configures {what}", "give a file of Resilience4j, Envoy or Kubernetes")
    return None
