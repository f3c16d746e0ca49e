"""Kubernetes: the liveness, readiness and startup probes of the containers in pods and in workloads that make pods.

Follows: the `Probe` of the core v1 API with its defaults (a field that is 0 means its default) and its validation;
Pod (v1), Deployment, StatefulSet, DaemonSet and ReplicaSet (apps/v1), Job and CronJob (batch/v1), and lists of them.

Left out: how a probe asks, and everything else that a workload says.
"""

from __future__ import annotations

from typing import Any

from ... import checks
from ..health import Probe, Probes
from .fields import Fields, Notes, document_path, made, whole
from .report import UNKNOWN, UNKNOWN_KIND, Note, Policy

VERSIONS = {
    "Pod": "v1",
    "ReplicationController": "v1",
    "PodTemplate": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
"""The kinds that hold containers, each with the version of the API that is read."""
HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
PURPOSES = {"livenessProbe": "liveness", "readinessProbe": "readiness", "startupProbe": "startup"}
NUMBERS = {
    "initialDelaySeconds": ("initial_delay_s", 0, "delay before the first probe"),
    "periodSeconds": ("period_s", 10, "time from probe to probe"),
    "timeoutSeconds": ("timeout_s", 1, "longest wait for the answer"),
    "failureThreshold": ("failure_threshold", 3, "bad answers in a row until ill"),
    "successThreshold": ("success_threshold", 1, "good answers in a row until well"),
}
OTHERS = {
    "container": {"name", "image", "imagePullPolicy", "command", "args", "workingDir", "ports", "env", "envFrom"}
    | {"resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "volumeMounts", "volumeDevices", "lifecycle"}
    | {"terminationMessagePath", "terminationMessagePolicy", "securityContext", "stdin", "stdinOnce", "tty"},
    "pod": {"volumes", "ephemeralContainers", "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds"}
    | {"dnsPolicy", "nodeSelector", "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "nodeName"}
    | {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname"}
    | {"subdomain", "affinity", "schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority"}
    | {"dnsConfig", "readinessGates", "runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead"}
    | {"topologySpreadConstraints", "setHostnameAsFQDN", "os", "hostUsers", "schedulingGates", "resourceClaims"}
    | {"resources", "hostnameOverride"},
}
"""The other fields of containers and pods."""
OUTSIDE = {"apiVersion", "kind", "metadata", "spec", "status", "template", "replicas", "selector", "minReadySeconds"}
OUTSIDE |= {"strategy", "updateStrategy", "revisionHistoryLimit", "progressDeadlineSeconds", "paused", "serviceName"}
OUTSIDE |= {"podManagementPolicy", "volumeClaimTemplates", "persistentVolumeClaimRetentionPolicy", "ordinals"}
OUTSIDE |= {"jobTemplate", "schedule", "timeZone", "concurrencyPolicy", "suspend", "startingDeadlineSeconds"}
OUTSIDE |= {"successfulJobsHistoryLimit", "failedJobsHistoryLimit", "backoffLimit", "completions", "parallelism"}
OUTSIDE |= {"activeDeadlineSeconds", "ttlSecondsAfterFinished", "completionMode", "manualSelector", "podFailurePolicy"}
OUTSIDE |= {"backoffLimitPerIndex", "maxFailedIndexes", "podReplacementPolicy", "managedBy", "successPolicy"}
"""The fields on the way from a workload to its containers."""
REST = "says nothing about health"


def recognises(document: dict[Any, Any]) -> bool:
    """Whether a document is a resource of Kubernetes."""
    return "kind" in document and "apiVersion" in document


def read(documents: list[Any], notes: Notes) -> dict[str, dict[str, Policy]]:
    """The probes by workload and container ("mail/app")."""
    found: dict[str, dict[str, Policy]] = {}
    for position, document in enumerate(documents):
        fields = Fields(document, document_path(position), notes)
        kind, version = str(fields.raw("kind")), str(fields.raw("apiVersion"))
        if kind == "List" or (kind.removesuffix("List") in VERSIONS and kind.endswith("List")):
            for item in fields.objects("items"):  # a list of one kind may leave out the kind and version of its items
                own = str(item.raw("kind") or kind.removesuffix("List")), str(item.raw("apiVersion") or version)
                _read_resource(item, *own, found)
        else:
            _read_resource(fields, kind, version, found)
    return found


def _read_resource(resource: Fields, kind: str, version: str, found: dict[str, dict[str, Policy]]) -> None:
    if kind not in VERSIONS:
        resource.notes.ignored.append(Note(resource.path or "document", kind, _unread(kind, version)))
        return
    if version != VERSIONS[kind]:
        raise checks.refuse(resource.at("apiVersion"), version, f"give {VERSIONS[kind]} for a {kind}")
    name = _name(resource, kind)
    spec = _pod_spec(resource, kind)
    if spec is None:
        raise checks.refuse(resource.at("spec"), None, f"give the pod's spec of this {kind}")
    for list_of in ("containers", "initContainers"):
        for container in spec.objects(list_of):
            _read_container(container, name, found)
    spec.finish(dict.fromkeys(OTHERS["pod"], REST))


def _unread(kind: str, version: str) -> str:
    """Why a resource is not read: one of Kubernetes' own has no containers, another may well have some."""
    group = version.rpartition("/")[0]
    if "." not in group or group.endswith(".k8s.io"):
        return f"a {kind} has no containers"
    return f"{UNKNOWN_KIND} {kind!r} of {group}: only Kubernetes' own workloads are read"


def _name(resource: Fields, kind: str) -> str:
    """The workload's name, after its namespace if it states one; its kind if it has no name."""
    metadata = resource.section("metadata")
    if metadata is None:
        return kind.lower()
    name = metadata.raw("name") or metadata.raw("generateName") or kind.lower()
    namespace = metadata.raw("namespace")
    return f"{namespace}/{name}" if namespace else str(name)


def _pod_spec(resource: Fields, kind: str) -> Fields | None:
    """The spec with the containers; on the way to it only fields that nobody knows are noted."""
    inner: Fields | None = resource
    steps = {"Pod": ("spec",), "PodTemplate": ("template", "spec")}.get(kind, ("spec", "template", "spec"))
    if kind == "CronJob":
        steps = ("spec", "jobTemplate", "spec", "template", "spec")
    for step in steps:
        if inner is not None:
            for field, path in inner.names():
                if field not in OUTSIDE:
                    inner.notes.ignored.append(Note(path, inner.raw(field), UNKNOWN))
            inner = inner.section(step)
    return inner


def _read_container(container: Fields, workload: str, found: dict[str, dict[str, Policy]]) -> None:
    name = f"{workload}/{checks.check_text(container.at('name'), container.raw('name'))}"
    probes: dict[str, Any] = {}
    for field, purpose in PURPOSES.items():
        section = container.section(field)
        if section is not None:
            probes[purpose] = _probe(section)
    container.finish(dict.fromkeys(OTHERS["container"], REST))
    if not probes:
        return
    if name in found:
        raise checks.refuse(container.path, name, "give each container once")
    found[name] = {"probes": made(container.path, Probes, **probes)}


def _probe(fields: Fields) -> Probe:
    settings: dict[str, Any] = {}
    for name, (field, default, says) in NUMBERS.items():
        value = fields.take(name, whole, says)
        if value is not None:
            settings[field] = value or default
    asked = [handler for handler in HANDLERS if handler in fields]
    if len(asked) != 1:
        raise checks.refuse(fields.path, asked, f"give one of {', '.join(HANDLERS)}")
    fields.ignore(asked[0], "how the probe asks is not modelled, only when, and what follows from the answers")
    fields.ignore("terminationGracePeriodSeconds", "the time before the kill is not modelled")
    fields.finish({})
    return made(fields.path, Probe, **settings)
