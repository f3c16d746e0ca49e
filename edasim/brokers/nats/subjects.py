"""Subjects: tokens between dots, `*` for one token, `>` for one or more at the end.

Follows nats-server 2.9.10 as measured and `server/sublist.go` of nats-io/nats-server (NAT-01). Matching is
case-sensitive; `*` or `>` inside a longer token is an ordinary letter. A pattern with an empty token, or with a token
after `>`, is refused at subscribe. A published subject with an empty token is routed to nobody; one with wildcards is
compared letter by letter, unless the client asked for pedantic checks (`check_publish_subject`).
"""

from __future__ import annotations

from ...errors import ConfigurationError

_ONE = "*"
_REST = ">"
_BLANKS = " \t\n\f\r"


class InvalidSubjectError(ConfigurationError):
    """A pattern that no subscription can have (nats-server: -ERR 'Invalid Subject')."""


class InvalidPublishSubjectError(ConfigurationError):
    """A subject that nothing can be published to (nats-server: -ERR 'Invalid Publish Subject')."""


def subject_matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to `pattern` receives what is published to `subject`.

    Raises `InvalidSubjectError` for a pattern that the server refuses, `InvalidPublishSubjectError` for a subject that
    the protocol cannot carry (empty, or with blanks).

    >>> subject_matches("user.*", "user.created"), subject_matches("user.>", "user"), subject_matches(">", "a..b")
    (True, False, False)
    """
    wanted = check_pattern(pattern).split(".")
    tokens = _check_carried(subject).split(".")
    if "" in tokens:
        return False
    if wanted[-1] == _REST:
        wanted = wanted[:-1]
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(wanted) == len(tokens) and all(part in (_ONE, token) for part, token in zip(wanted, tokens, strict=True))


def check_pattern(pattern: object) -> str:
    """`pattern` if a subscription can have it; otherwise an `InvalidSubjectError` that says which token is wrong."""
    if not isinstance(pattern, str) or pattern == "":
        raise _refused(pattern, "give a text with at least one token, such as 'user.*'")
    tokens = pattern.split(".")
    for place, token in enumerate(tokens, start=1):
        if token == "":
            raise _refused(pattern, f"token {place} is empty; put a name, * or > between the dots")
        if any(blank in token for blank in _BLANKS):
            raise _refused(pattern, f"token {place} has a blank; leave it out")
        if token == _REST and place < len(tokens):
            raise _refused(pattern, f"token {place} is >, which can only be the last; use * for one token")
    return pattern


def check_publish_subject(subject: object) -> str:
    """`subject` if it is a literal one (no empty token, no wildcard); otherwise `InvalidPublishSubjectError`."""
    carried = _check_carried(subject)
    for place, token in enumerate(carried.split("."), start=1):
        if token == "":
            raise _unpublishable(subject, f"token {place} is empty; put a name between the dots")
        if token in (_ONE, _REST):
            raise _unpublishable(subject, f"token {place} is a wildcard; name the subject that is meant")
    return carried


def _check_carried(subject: object) -> str:
    if not isinstance(subject, str) or subject == "" or any(blank in subject for blank in _BLANKS):
        raise _unpublishable(subject, "give a text without blanks, such as 'user.created'")
    return subject


def _refused(pattern: object, remedy: str) -> InvalidSubjectError:
    return InvalidSubjectError(f"invalid subject {pattern!r}", field="pattern", value=pattern, remedy=remedy)


def _unpublishable(subject: object, remedy: str) -> InvalidPublishSubjectError:
    return InvalidPublishSubjectError(
        f"invalid publish subject {subject!r}", field="subject", value=subject, remedy=remedy
    )
