"""NATS: subjects that interested clients hear, and JetStream, which stores them.

Pure part, usable without a simulation: `subjects` (names, wildcards, matching). Rules NAT-.. of docs/FIDELITY.md tell
what is modelled and from which source.
"""

from .subjects import (
    InvalidPublishSubjectError,
    InvalidSubjectError,
    check_pattern,
    check_publish_subject,
    subject_matches,
)

__all__ = [
    "InvalidPublishSubjectError",
    "InvalidSubjectError",
    "check_pattern",
    "check_publish_subject",
    "subject_matches",
]
