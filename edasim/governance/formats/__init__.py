"""Real configuration files become policies, with a report of what was understood and what was ignored, and why.

`load` reads Resilience4j in Spring's YAML or properties, Envoy's bootstrap, clusters, routes and dumps (v3 API), and
the probes of Kubernetes workloads. Nothing is dropped in silence: a field that means nothing for a policy is ignored
with its reason, one that nobody knows is named, a value that cannot be is an error with its path. YAML is read in its
safe form, keys may not be repeated, and documents are bounded in size and depth.

Left out: placeholders without a default, which Spring or Helm would fill in (a value that is one is an error), and
files that refer to others.
"""

from __future__ import annotations

from .loading import load, load_text
from .report import Format, Loaded, Note

__all__ = ["Format", "Loaded", "Note", "load", "load_text"]
