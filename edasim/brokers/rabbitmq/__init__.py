"""RabbitMQ: exchanges route messages into queues by bindings; queues send them ahead to consumers.

`RabbitMQ` is the configuration, `broker` what runs. Pure parts, usable without a simulation: `topic` (patterns of a
topic exchange), `headers` (arguments of a headers exchange), `deaths` (the record of dead-lettering), `ready` (the
order of a queue and where a requeued message goes), `routing` (which queues a message reaches). Rules RMQ-.. of
docs/FIDELITY.md tell what is modelled and from which source.
"""

from .broker import RunningRabbitMQ
from .by_hand import Channel, RabbitDelivery
from .configuration import RabbitMQ
from .destinations import Address, Confirm, Confirmed, Exchange, Queue
from .errors import AccessRefusedError, ChannelError, NotFoundError, PreconditionFailedError
from .headers import BindingInvalidError, headers_match
from .settings import ExchangeType, Overflow, QueueArguments, QueueType
from .subscription import Acknowledgement, Consumption, Refusal
from .topic import ShortStringError, topic_matches

__all__ = [
    "AccessRefusedError",
    "Acknowledgement",
    "Address",
    "BindingInvalidError",
    "Channel",
    "ChannelError",
    "Confirm",
    "Confirmed",
    "Consumption",
    "Exchange",
    "ExchangeType",
    "NotFoundError",
    "Overflow",
    "PreconditionFailedError",
    "Queue",
    "QueueArguments",
    "QueueType",
    "RabbitDelivery",
    "RabbitMQ",
    "Refusal",
    "RunningRabbitMQ",
    "ShortStringError",
    "headers_match",
    "topic_matches",
]
