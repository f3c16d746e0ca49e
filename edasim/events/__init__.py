"""Events: immutable facts with the attributes of CloudEvents, their JSON form, and trace headers.

Follows: CloudEvents 1.0.2 (facts CE-01 to CE-04) with its Correlation extension for causes and traces; W3C Trace
Context (TR-01, TR-02). An `Event` is what is told; on its way through a broker it is a message.

Left out: the binary mode of the protocol bindings (attributes as headers), the XML, Avro and Protobuf formats, and
subscription filters.
"""

from .attributes import EventError, uri_reference
from .event import NO_DATA, Event
from .json_format import BATCH_MEDIA_TYPE, MEDIA_TYPE, from_json, from_json_batch, to_json, to_json_batch
from .timestamps import rfc3339, seconds_since_epoch
from .trace_context import (
    TraceContext,
    TraceParent,
    format_tracestate,
    parse_traceparent,
    parse_tracestate,
    received,
    with_member,
)

__all__ = [
    "BATCH_MEDIA_TYPE",
    "MEDIA_TYPE",
    "NO_DATA",
    "Event",
    "EventError",
    "TraceContext",
    "TraceParent",
    "format_tracestate",
    "from_json",
    "from_json_batch",
    "parse_traceparent",
    "parse_tracestate",
    "received",
    "rfc3339",
    "seconds_since_epoch",
    "to_json",
    "to_json_batch",
    "uri_reference",
    "with_member",
]
