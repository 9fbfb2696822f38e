"""What a case left behind, in a form in which two cases can be compared."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from controller.model import ApplicationName, EnvironmentName, InstallationId, ObjectKey, PlacementRef, TargetName
from controller.targets.kubernetes.labels import SYSTEM_NAMESPACE, applyset_id, installation_hash, parent_key
from tests.cluster.api import Api
from tests.engine.kill.scene import PLACEMENTS, RECORDS, Scene

Objects = dict[str, Any]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|\d{4}-\d\d-\d\d \d\d:\d\d")

# Told by what happened on the way, not by where it led: when, how often, who wrote last (the Lease of a process that
# died runs out by itself).
MASKED = frozenset(
    {
        *("uid", "resourceVersion", "since", "clusterIP", "clusterIPs"),
        *("holderIdentity", "leaseDurationSeconds", "leaseTransitions"),
    }
)
# What the last run did, where there was one: outcomes.
DROPPED = frozenset({"result"})
OPAQUE = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DRAWN = re.compile(r'(?<=[ "])(width|x|textLength)="[\d.]+"')  # as wide as the text is, before it gets another name
OBJECTS = "converge/objects"  # of a parent: four bytes of hash for each object, in the order of the hashes
MADE_BY_CONTROLLERS = frozenset({"endpoints"})  # without an owner that says so
HAPPENINGS = frozenset({"events"})  # how often something was tried is not what became of it


async def live_state(api: Api, scene: Scene) -> Objects:
    """Give every object of every listable kind that is the scene's, by its path."""
    found: Objects = {}
    for path, plural, namespaced in await _listable(api):
        if plural in HAPPENINGS:
            continue
        listed = (await api.request("GET", f"{path}/{plural}"))["items"]
        for one in listed:
            if _is_of(scene, one, namespaced=namespaced):
                found[f"{path}/{plural} {_place(one, scene)}"] = _comparable({"kind": plural, **one}, scene)
    return found


async def record_tree(scene: Scene) -> Objects:
    """Give every file of the records branch."""
    found: Objects = {}
    for path in await scene.host.names("platform", branch=RECORDS):
        text = await scene.host.show("platform", path, branch=RECORDS)
        found[_named(path, scene)] = _read_record(path, _named(text, scene))
    return found


def differences(expected: Objects, found: Objects) -> list[str]:
    """Say per object or file how two states differ.

    Digests and ids cover names that every scene has of its own. They are equal when the same one of ours stands for the
    same one of theirs, wherever it stands.
    """
    said = [f"missing: {path}" for path in expected.keys() - found.keys()]
    said += [f"left over: {path}: {found[path]}" for path in found.keys() - expected.keys()]
    pairs = Pairs()
    for path in sorted(expected.keys() & found.keys()):
        said += [f"{path}: {one}" for one in _differences(expected[path], found[path], "", pairs)]
    return sorted(said)


class Pairs:
    """Which opaque text of one state stands for which of the other."""

    def __init__(self) -> None:
        self._forth: dict[str, str] = {}
        self._back: dict[str, str] = {}

    def match(self, one: str, other: str) -> bool:
        """Tell whether two texts are equal but for opaque parts that always come in the same pair."""
        if OPAQUE.sub("…", one) != OPAQUE.sub("…", other):
            return False
        both = zip(OPAQUE.findall(one), OPAQUE.findall(other), strict=True)
        return all(
            self._forth.setdefault(left, right) == right and self._back.setdefault(right, left) == left
            for left, right in both
        )


def _differences(one: Any, other: Any, where: str, pairs: Pairs) -> Iterable[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(key), other.get(key), f"{where}.{key}", pairs)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{where}[{index}]", pairs)
    elif isinstance(one, str) and isinstance(other, str):
        if not pairs.match(one, other):
            yield f"{where}: {one!r} became {other!r}"
    elif one != other:
        yield f"{where}: {one!r} became {other!r}"


async def _listable(api: Api) -> list[tuple[str, str, bool]]:
    groups = await api.request("GET", "/apis")
    roots = ["/api/v1", *(f"/apis/{one['preferredVersion']['groupVersion']}" for one in groups["groups"])]
    found = []
    for root in roots:
        served = (await api.request("GET", root))["resources"]
        found += [(root, one["name"], one["namespaced"]) for one in served if "list" in one["verbs"]]
    return found


def _is_of(scene: Scene, one: Mapping[str, Any], *, namespaced: bool) -> bool:
    metadata = one["metadata"]
    if not namespaced:
        return str(metadata["name"]).startswith(scene.prefix) or scene.installation in json.dumps(metadata)
    if metadata["namespace"] != SYSTEM_NAMESPACE:
        return metadata["namespace"] in scene.namespaces
    return metadata["name"] in _own_names(scene)


def _own_names(scene: Scene) -> Mapping[str, str]:
    """Name the scene's objects in the namespace that all scenes share, and what each is called in every scene."""
    names = {_parent(scene, one).name: f"parent of {one}" for one in PLACEMENTS}
    for environment in {one.partition("/")[0] for one in PLACEMENTS}:
        unique = hashlib.sha256(f"{scene.installation} {environment}/hangzhou".encode()).hexdigest()[:32]
        names[f"converge-{unique}"] = f"lease of {environment}"
    return names


def _parent(scene: Scene, placement: str) -> ObjectKey:
    environment, _, application = placement.partition("/")
    ref = PlacementRef(EnvironmentName(environment), ApplicationName(application), TargetName("hangzhou"))
    return parent_key(InstallationId(scene.installation), ref)


def _place(one: Mapping[str, Any], scene: Scene) -> str:
    metadata = one["metadata"]
    name = metadata["name"]
    if made_up := metadata.get("generateName"):
        name = f"{made_up}*"  # the server chose the rest
    return _named(f"{metadata.get('namespace', '')}/{name}", scene)


def _comparable(one: Mapping[str, Any], scene: Scene) -> Any:
    metadata = one["metadata"]
    if "generateName" in metadata or metadata.get("ownerReferences"):
        return "made by a controller of the cluster"
    if one["kind"] in MADE_BY_CONTROLLERS:
        return "made by a controller of the cluster"
    named = _masked(json.loads(_named(json.dumps(one), scene)))
    annotations = named["metadata"].get("annotations", {})
    if OBJECTS in annotations:
        annotations[OBJECTS] = f"{len(base64.b64decode(annotations[OBJECTS])) // 4} objects"
    return named


def _named(text: str, scene: Scene) -> str:
    """Call what every scene has a name of its own for by the same name."""
    words = {scene.installation: "INSTALLATION", installation_hash(InstallationId(scene.installation)): "INSTALLED"}
    words |= {applyset_id(_parent(scene, one)): f"applyset of {one}" for one in PLACEMENTS}
    words |= _own_names(scene)
    words |= {scene.prefix: "NAMESPACE", scene.git_url: "HOST", **scene.commits}
    words |= {commit[:length]: name for commit, name in scene.commits.items() for length in (12, 10, 8, 7)}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    return text


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "MASKED" if key in MASKED or key.endswith(("Time", "Timestamp")) else _masked(one)
            for key, one in value.items()
            if key not in DROPPED
        }
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return TIME.sub("TIME", value) if isinstance(value, str) else value


def _read_record(path: str, text: str) -> Any:
    if path.endswith((".yaml", ".json")):
        return _masked(list(yaml.safe_load_all(text)))
    return DRAWN.sub(r'\1="…"', TIME.sub("TIME", text))
