"""Topic patterns of a topic exchange: words between dots, `*` for one word, `#` for zero or more.

Follows RabbitMQ 3.10.8 as measured (RMQ-01): matching is case-sensitive, an empty routing key is zero words, empty
words between dots count as words, and a `*` or `#` that is part of a longer word is an ordinary letter, as is either in
a routing key. No pattern is refused for its form; a key is a short string of AMQP 0-9-1, at most 255 bytes.
"""

from __future__ import annotations

from ...errors import ConfigurationError

_ONE_WORD = "*"
_ANY_WORDS = "#"
_LONGEST_BYTES = 255


class ShortStringError(ConfigurationError):
    """A routing key or pattern that AMQP cannot carry: no text, or longer than 255 bytes."""


def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether a binding with `pattern` takes a message with `routing_key`.

    Raises `ShortStringError` for what is no short string.

    >>> topic_matches("user.#", "user"), topic_matches("user.*", "user"), topic_matches("*.created", "user.created")
    (True, False, True)
    """
    words = _words("routing_key", routing_key)
    reached = {0}
    for part in _words("pattern", pattern):
        if part == _ANY_WORDS:
            reached = set(range(min(reached), len(words) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(words) and part in (_ONE_WORD, words[at])}
        if not reached:
            return False
    return len(words) in reached


def check_short_string(field: str, value: object) -> str:
    """A text that AMQP can carry as a short string; anything else is a `ShortStringError`."""
    if not isinstance(value, str) or len(value.encode(errors="surrogatepass")) > _LONGEST_BYTES:
        remedy = f"give a text of at most {_LONGEST_BYTES} bytes in UTF-8"
        raise ShortStringError(f"{field} is {value!r}", field=field, value=value, remedy=remedy)
    return value


def _words(field: str, text: str) -> list[str]:
    return check_short_string(field, text).split(".") if text != "" else []
