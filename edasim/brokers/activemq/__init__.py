"""ActiveMQ Classic: JMS queues and topics.

Pure parts, usable without a simulation: `selector` (SQL-92 conditions on messages; its parts are in `selector_*`) and
`wildcard` (patterns of destinations). Rules AMQ-.. of docs/FIDELITY.md tell what is modelled and from which source.
"""

from .selector import Client, Selector, selector
from .selector_tokens import InvalidSelectorError
from .selector_values import MessageFormatError
from .wildcard import InvalidDestinationError, destination_matches

__all__ = [
    "Client",
    "InvalidDestinationError",
    "InvalidSelectorError",
    "MessageFormatError",
    "Selector",
    "destination_matches",
    "selector",
]
