"""RabbitMQ: exchanges route messages into queues by bindings.

Pure parts, usable without a simulation: `topic` (patterns of a topic exchange) and `headers` (arguments of a headers
exchange). Rules RMQ-.. of docs/FIDELITY.md tell what is modelled and from which source.
"""

from .headers import BindingInvalidError, headers_match
from .topic import ShortStringError, topic_matches

__all__ = ["BindingInvalidError", "ShortStringError", "headers_match", "topic_matches"]
