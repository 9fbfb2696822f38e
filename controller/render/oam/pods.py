"""What several definitions share: parameters of containers and volumes, and the objects' parts made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controller.render.oam.definition import Body, Context, Parameters
from controller.render.oam.schema import (
    TEXT,
    TEXT_TABLE,
    TEXTS,
    WHOLE,
    Fields,
    Items,
    Kind,
    OneOf,
    Truth,
    Whole,
    fields,
)

COMPONENT: Final = "app.oam.dev/component"
NAME: Final = "app.oam.dev/name"

PULL_POLICY: Final = OneOf(("Always", "Never", "IfNotPresent"))
PROTOCOL: Final = OneOf(("TCP", "UDP", "SCTP"), default="TCP")
KEY_OF: Final = fields({"name": TEXT, "key": TEXT}, passed_on=True)
HOST_ALIASES: Final = Items(fields({"ip": TEXT, "hostnames": TEXTS}, passed_on=True))


def env_of(**more: Fields) -> Items:
    """Declare environment variables; `more` are further sources of a value."""
    sources = {"secretKeyRef?": KEY_OF, "configMapKeyRef?": KEY_OF} | {f"{name}?": one for name, one in more.items()}
    value_from = fields(sources, passed_on=True)
    return Items(fields({"name": TEXT, "value?": TEXT, "valueFrom?": value_from}, passed_on=True))


ENV: Final = env_of()


def probe(*, with_host: bool) -> Fields:
    """Declare a health probe: a closed definition. Some types' probes can't name host and scheme."""
    http: dict[str, Kind] = {
        "path": TEXT,
        "port": WHOLE,
        "httpHeaders?": Items(fields({"name": TEXT, "value": TEXT}, closed=True)),
    }
    return fields(
        {
            "exec?": fields({"command": TEXTS}, closed=True),
            "httpGet?": fields({**http, **({"host?": TEXT, "scheme?": TEXT} if with_host else {})}, closed=True),
            "tcpSocket?": fields({"port": WHOLE}, closed=True),
            "initialDelaySeconds": Whole(0),
            "periodSeconds": Whole(10),
            "timeoutSeconds": Whole(1),
            "successThreshold": Whole(1),
            "failureThreshold": Whole(3),
        },
        closed=True,
    )


PROBE: Final = probe(with_host=False)
PROBE_WITH_HOST: Final = probe(with_host=True)

FILES: Final = Items(fields({"key": TEXT, "path": TEXT, "mode": Whole(511)}, passed_on=True))
MEDIUM: Final = OneOf(("", "Memory"), default="")
_MOUNT: Final[dict[str, Kind]] = {"name": TEXT, "mountPath": TEXT, "subPath?": TEXT}
_SOURCES: Final = ("pvc", "configMap", "secret", "emptyDir", "hostPath")

VOLUME_MOUNTS: Final = fields(
    {
        "pvc?": Items(fields({**_MOUNT, "claimName": TEXT})),
        "configMap?": Items(fields({**_MOUNT, "defaultMode": Whole(420), "cmName": TEXT, "items?": FILES})),
        "secret?": Items(fields({**_MOUNT, "defaultMode": Whole(420), "secretName": TEXT, "items?": FILES})),
        "emptyDir?": Items(fields({**_MOUNT, "medium": MEDIUM})),
        "hostPath?": Items(
            fields(
                {
                    **_MOUNT,
                    "path": TEXT,
                    # the daemon's parameters declare these two, and its template leaves them out
                    "mountPropagation?": OneOf(("None", "HostToContainer", "Bidirectional")),
                    "readOnly?": Truth(),
                }
            )
        ),
    }
)

VOLUMES: Final = Items(
    fields(
        {
            "name": TEXT,
            "mountPath": TEXT,
            "type": OneOf(("emptyDir", "pvc", "configMap", "secret"), default="emptyDir"),
        },
        cases={
            "pvc": fields({"claimName": TEXT}),
            "configMap": fields({"defaultMode": Whole(420), "cmName": TEXT, "items?": FILES}),
            "secret": fields({"defaultMode": Whole(420), "secretName": TEXT, "items?": FILES}),
            "emptyDir": fields({"medium": MEDIUM}),
        },
    )
)


def volume(source: str, one: Parameters, name: str) -> Body:
    """Make a pod's volume of one entry of `volumeMounts` or `volumes`."""
    match source:
        case "pvc":
            return {"name": name, "persistentVolumeClaim": {"claimName": one["claimName"]}}
        case "configMap":
            body = {"defaultMode": one["defaultMode"], "name": one["cmName"]}
            return {"name": name, "configMap": body | picked(one, "items")}
        case "secret":
            body = {"defaultMode": one["defaultMode"], "secretName": one["secretName"]}
            return {"name": name, "secret": body | picked(one, "items")}
        case "emptyDir":
            return {"name": name, "emptyDir": {"medium": one["medium"]}}
        case _:
            return {"name": name, "hostPath": {"path": one["path"]}}


def mounts_and_volumes(parameters: Parameters) -> tuple[Body, Body]:
    """Give the container's `volumeMounts` and the pod's `volumes`: `volumeMounts` win over the older `volumes`."""
    if "volumeMounts" in parameters:
        entries = list(_entries(parameters["volumeMounts"]))
        mounts = [{**picked(one, "mountPath", "subPath"), "name": one["name"]} for _, one in entries]
        volumes = first_of_each_name(volume(source, one, one["name"]) for source, one in entries)
        return {"volumeMounts": mounts}, {"volumes": volumes}
    if "volumes" in parameters:
        listed = parameters["volumes"]
        mounts = [picked(one, "mountPath", "name") for one in listed]
        return {"volumeMounts": mounts}, {"volumes": [volume(one["type"], one, one["name"]) for one in listed]}
    return {}, {}


def _entries(by_source: Parameters) -> Iterator[tuple[str, Parameters]]:
    for source in _SOURCES:
        for one in by_source.get(source, ()):
            yield source, one


def first_of_each_name(bodies: Iterable[Body]) -> list[Body]:
    """Leave out what has the name of one before it."""
    kept: dict[str, Body] = {}
    for one in bodies:
        kept.setdefault(one["name"], one)
    return list(kept.values())


def picked(source: Parameters, *names: str) -> Body:
    """Give these fields, those that are there."""
    return {name: source[name] for name in names if name in source}


def resources(parameters: Parameters) -> Body:
    """Requests and limits alike, unless `limit` says otherwise."""
    asked = picked(parameters, "cpu", "memory")
    if not asked:
        return {}
    limits = {name: parameters.get("limit", {}).get(name, amount) for name, amount in asked.items()}
    return {"resources": {"limits": limits, "requests": asked}}


def container(parameters: Parameters, context: Context) -> Body:
    """Make the main container, but for ports and mounts."""
    body: Body = {"name": context.component, "image": parameters["image"], **picked(parameters, "imagePullPolicy")}
    if "cmd" in parameters:
        body["command"] = parameters["cmd"]
    return body | picked(parameters, "args", "env") | resources(parameters)


def pull_secrets(parameters: Parameters) -> Body:
    if "imagePullSecrets" not in parameters:
        return {}
    return {"imagePullSecrets": [{"name": one} for one in parameters["imagePullSecrets"]]}


def pod_metadata(parameters: Parameters, context: Context) -> Body:
    """Give labels and annotations of a pod template. A label of the user's that is another value of ours is wrong.

    `addRevisionLabel` adds nothing: its label is bound to a revision in the cluster, and here those are commits.
    """
    own = {NAME: context.application, COMPONENT: context.component}
    labels = dict(parameters.get("labels", {}))
    for name, value in own.items():
        if labels.get(name, value) != value:
            context.report.wrong((*context.path, "labels", name), f'it is "{value}" on every pod', "Remove it.")
    return {"labels": labels | own, **picked(parameters, "annotations")}


LABELS: Final[dict[str, Kind]] = {"labels?": TEXT_TABLE, "annotations?": TEXT_TABLE}
IMAGE: Final[dict[str, Kind]] = {"image": TEXT, "imagePullPolicy?": PULL_POLICY, "imagePullSecrets?": TEXTS}
RUN: Final[dict[str, Kind]] = {"cmd?": TEXTS, "env?": ENV, "cpu?": TEXT, "memory?": TEXT}
