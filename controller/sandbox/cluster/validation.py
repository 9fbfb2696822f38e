"""What the server refuses of an object that is well-formed (pkg/apis/*/validation of Kubernetes).

Not every rule of the real one: required fields and closed sets of every kind (from the data file), names and labels,
and the rules that deployments run into: selectors, containers, ports, immutable fields. The words are the real ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.model import JsonValue
from controller.sandbox.cluster.refusals import FieldError, duplicate, forbidden_field, required, unsupported, wrong
from controller.sandbox.cluster.schema import Body, Kind, ListOf, MapOf, Shape
from controller.sandbox.cluster.selectors import label_selector

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
DOT_WORDS = "must not contain dots"
QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CONFIG_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}  # any name that is a path segment
TOP_SECRET = 1 << 20  # bytes of a ConfigMap's or Secret's data
NAME_LENGTH, LABEL_LENGTH = 253, 63
Errors = Iterator[FieldError]


def metadata_errors(kind: Kind, meta: Mapping[str, Any]) -> Errors:
    """Check an object's name, labels and annotations."""
    name = meta.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif kind.kind not in FREE_NAMES:
        pattern, words, length = _name_rule(kind)
        if len(name) > length:
            yield wrong("metadata.name", name, f"must be no more than {length} characters")
        elif not pattern.fullmatch(name):
            yield wrong("metadata.name", name, DOT_WORDS if pattern is LABEL and "." in name else words)
    elif "/" in name or "%" in name:
        yield wrong("metadata.name", name, "may not contain '/'" if "/" in name else "may not contain '%'")
    yield from label_errors("metadata.labels", meta.get("labels") or {})
    for key in meta.get("annotations") or {}:
        yield from _qualified("metadata.annotations", key.lower())


def _name_rule(kind: Kind) -> tuple[re.Pattern[str], str, int]:
    match kind.kind:
        case "Namespace" | "Service":
            return LABEL, LABEL_WORDS, LABEL_LENGTH
        case _:
            return SUBDOMAIN, SUBDOMAIN_WORDS, NAME_LENGTH


def label_errors(field: str, labels: Mapping[str, str]) -> Errors:
    for key, value in sorted(labels.items()):
        yield from _qualified(field, key)
        if len(value) > LABEL_LENGTH:
            yield wrong(field, value, f"must be no more than {LABEL_LENGTH} bytes")
        if not VALUE.fullmatch(value):
            yield wrong(field, value, VALUE_WORDS)


def _qualified(field: str, key: str) -> Errors:
    prefix, slash, name = key.rpartition("/")
    if slash and not SUBDOMAIN.fullmatch(prefix):
        yield wrong(field, key, f"prefix part {SUBDOMAIN_WORDS}")
    if len(name) > LABEL_LENGTH:
        yield wrong(field, key, f"name part must be no more than {LABEL_LENGTH} bytes")
    if not QUALIFIED.fullmatch(name):
        yield wrong(field, key, QUALIFIED_WORDS)


def errors(kind: Kind, body: Body) -> Errors:
    """Check an object of a built-in kind as a whole."""
    meta = body["metadata"]
    yield from metadata_errors(kind, meta if isinstance(meta, dict) else {})
    if rule := RULES.get(kind.kind):
        yield from rule(body)
    else:
        yield from shape_errors(body, kind.shape)


def shape_errors(value: JsonValue, shape: Shape, path: str = "") -> Errors:
    """Check required fields and closed sets below `metadata`, by the data file."""
    if isinstance(shape, ListOf) and isinstance(value, list):
        for index, one in enumerate(value):
            yield from shape_errors(one, shape.element, f"{path}[{index}]")
    elif isinstance(shape, MapOf) and isinstance(value, dict):
        for name, field in shape.fields.items():
            where = f"{path}.{name}" if path else name
            if not path and name in {"metadata", "status", "apiVersion", "kind"}:
                continue
            one = value.get(name)
            if one in (None, "", []) and field.is_required:
                yield required(where)
            elif field.enum and isinstance(one, str) and one and one not in field.enum:
                yield unsupported(where, one, sorted(field.enum))
            elif one is not None:
                yield from shape_errors(one, field.shape, where)


def _with_template(path: str = "spec") -> Callable[[dict[str, Any]], Errors]:
    def check(body: dict[str, Any]) -> Errors:
        spec = body["spec"]
        selector, template = spec.get("selector"), spec["template"]
        labels = template["metadata"].get("labels")
        if selector is None:
            yield required(f"{path}.selector")
        elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield wrong(f"{path}.selector", selector, "empty selector is invalid for deployment")
        if selector is None or not label_selector(selector)(labels or {}):
            yield wrong(f"{path}.template.metadata.labels", labels, "`selector` does not match template `labels`")
        if isinstance(spec.get("replicas"), int) and spec["replicas"] < 0:
            yield wrong(f"{path}.replicas", spec["replicas"], "must be greater than or equal to 0")
        yield from label_errors(f"{path}.template.labels", labels or {})
        yield from pod_errors(template["spec"], f"{path}.template.spec", policies=("Always",))

    return check


def _job(body: dict[str, Any]) -> Errors:
    yield from _job_spec(body["spec"], "spec")


def _job_spec(spec: dict[str, Any], path: str) -> Errors:
    where = f"{path}.template.spec"
    if spec["template"]["spec"].get("restartPolicy") not in {"Never", "OnFailure"}:
        yield required(f"{where}.restartPolicy", 'valid values: "OnFailure", "Never"')
    yield from pod_errors(spec["template"]["spec"], where, policies=())


def _cron_job(body: dict[str, Any]) -> Errors:
    spec = body["spec"]
    if not spec.get("schedule"):
        yield required("spec.schedule")
    elif len(spec["schedule"].split()) != 5 and not spec["schedule"].startswith("@"):
        yield wrong(
            "spec.schedule", spec["schedule"], f"expected exactly 5 fields, found {len(spec['schedule'].split())}"
        )
    yield from _job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")


def _pod(body: dict[str, Any]) -> Errors:
    yield from pod_errors(body["spec"], "spec", policies=())


def pod_errors(spec: dict[str, Any], path: str, *, policies: tuple[str, ...]) -> Errors:
    """Check a pod's containers and volumes. `policies` are the restart policies its owner takes; none: any."""
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        where = f"{path}.volumes[{index}].name"
        if not volume.get("name"):
            yield required(where)
        elif volume["name"] in volumes:
            yield duplicate(where, volume["name"])
        volumes.add(volume.get("name", ""))
    names: set[str] = set()
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container(container, f"{path}.{group}[{index}]", names, volumes)
    policy = spec.get("restartPolicy", "Always")
    if policies and policy not in policies:
        yield unsupported(f"{path}.restartPolicy", policy, policies)


def _container(container: dict[str, Any], path: str, names: set[str], volumes: set[str]) -> Errors:
    name = container.get("name", "")
    if not name:
        yield required(f"{path}.name")
    elif not LABEL.fullmatch(name):
        yield wrong(f"{path}.name", name, DOT_WORDS if "." in name else LABEL_WORDS)
    elif name in names:
        yield duplicate(f"{path}.name", name)
    names.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, port in enumerate(container.get("ports") or ()):
        yield from _port(port.get("containerPort"), f"{path}.ports[{index}].containerPort")
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield required(f"{path}.env[{index}].name")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("name", "") not in volumes:
            yield FieldError(f"{where}.name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')
        if not mount.get("mountPath"):
            yield required(f"{where}.mountPath")


def _port(port: JsonValue, field: str) -> Errors:
    if not port:
        yield required(field)
    elif not isinstance(port, int) or not 0 < port < 65536:
        yield wrong(field, port, "must be between 1 and 65535, inclusive")


def _service(body: dict[str, Any]) -> Errors:
    spec = body["spec"]
    ports, kind = spec.get("ports") or [], spec.get("type")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    names: set[str] = set()
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{where}.name")
        elif port.get("name") and port["name"] in names:
            yield duplicate(f"{where}.name", port["name"])
        names.add(port.get("name", ""))
        if not isinstance(port.get("port"), int) or not 0 < port["port"] < 65536:
            yield wrong(f"{where}.port", port.get("port"), "must be between 1 and 65535, inclusive")
    if kind not in {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}:
        yield unsupported("spec.type", kind, ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))


def _data(body: dict[str, Any]) -> Errors:
    size = 0
    for field in ("data", "binaryData"):
        for key, value in sorted((body.get(field) or {}).items()):
            size += len(value.encode())
            if not CONFIG_KEY.fullmatch(key):
                yield wrong(f"{field}[{key}]", key, CONFIG_KEY_WORDS)
    if size > TOP_SECRET:
        yield FieldError("", "FieldValueTooLong", f"Too long: may not be more than {TOP_SECRET} bytes")


def _claim(body: dict[str, Any]) -> Errors:
    spec = body["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in (spec["resources"].get("requests") or {}):
        yield required("spec.resources[storage]")


def _definition(body: dict[str, Any]) -> Errors:
    spec, name = body["spec"], body["metadata"].get("name", "")
    expected = f"{spec['names'].get('plural', '')}.{spec.get('group', '')}"
    if name != expected:
        yield wrong("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    for index, version in enumerate(spec.get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    if sum(bool(version.get("storage")) for version in spec.get("versions") or ()) != 1:
        yield wrong(
            "spec.versions",
            [v.get("name") for v in spec.get("versions") or ()],
            "must have exactly one version marked as storage version",
        )
    if spec.get("scope") not in {"Namespaced", "Cluster"}:
        yield unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))


def _ingress(body: dict[str, Any]) -> Errors:
    spec = body["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield wrong("spec", None, "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            where = f"spec.rules[{index}].http.paths[{number}]"
            if not path.get("pathType"):
                yield required(f"{where}.pathType", "pathType must be specified")
            elif path["pathType"] in {"Exact", "Prefix"} and not path.get("path", "").startswith("/"):
                yield wrong(f"{where}.path", path.get("path", ""), "must be an absolute path")


RULES: Mapping[str, Callable[[dict[str, Any]], Errors]] = {
    "ConfigMap": _data,
    "CronJob": _cron_job,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _with_template(),
    "Deployment": _with_template(),
    "Ingress": _ingress,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _with_template(),
    "Secret": _data,
    "Service": _service,
    "StatefulSet": _with_template(),
}
# Fields that never change once an object is there.
IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "Job": ("spec.completions", "spec.selector", "spec.template", "spec.completionMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
    "CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"),
}
STATEFUL_MAY = {
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
}  # fmt: skip
STATEFUL_WORDS = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy',"
    " 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
POD_MAY = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"}
POD_WORDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def update_errors(kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> Errors:
    """Check what may not change."""
    for path in IMMUTABLE.get(kind.kind, ()):
        before, after = _at(old, path), _at(new, path)
        if before is not None and before != after:
            yield wrong(path, after, "cannot change roleRef" if path == "roleRef" else "field is immutable")
    match kind.kind:
        case "ConfigMap" | "Secret" if old.get("immutable"):
            if not new.get("immutable"):
                yield forbidden_field("immutable", "field is immutable when `immutable` is set")
            if old.get("data") != new.get("data"):
                yield forbidden_field("data", "field is immutable when `immutable` is set")
        case "StatefulSet" if _without(old["spec"], STATEFUL_MAY) != _without(new["spec"], STATEFUL_MAY):
            yield forbidden_field("spec", STATEFUL_WORDS)
        case "Pod" if _pod_identity(old["spec"]) != _pod_identity(new["spec"]):
            yield forbidden_field("spec", POD_WORDS)
        case "PersistentVolumeClaim" if _without(old["spec"], {"resources", "volumeName"}) != _without(
            new["spec"], {"resources", "volumeName"}
        ):
            words = "spec is immutable after creation except resources.requests and volumeAttributesClassName"
            yield forbidden_field("spec", f"{words} for bound claims")
        case "Service" if old["spec"].get("clusterIP") and new["spec"].get("type") != "ExternalName":
            if old["spec"]["clusterIP"] != new["spec"].get("clusterIP"):
                yield wrong("spec.clusterIPs[0]", new["spec"].get("clusterIP"), "may not change once set")


def _at(body: JsonValue, path: str) -> JsonValue:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _without(spec: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in names}


def _pod_identity(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = _without(spec, POD_MAY)
    for group in ("containers", "initContainers"):
        kept[group] = [_without(one, {"image"}) for one in spec.get(group) or ()]
    return kept
