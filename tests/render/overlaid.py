"""Overlays made up for the objects that a base builds to: patches, replacements and more that meet something there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Path = tuple[str | int, ...]
Object = dict[str, Any]
SCALARS = ["x", "1", 2, 2.5, True, "", "null", None, "2024-01-15", "yes", "0777", "1e3", "a: b", "#x",
           "two\nlines\n", " lead", "trail ", "é", "*", "- a", "long " * 30, "\ttab", "a\\b", 100000000]  # fmt: skip
ELEMENT_KEYS = ("name", "containerPort", "port", "mountPath", "protocol", "key")


class Overlay:
    """Makes the files of one kustomization on `base`."""

    def __init__(self, seed: int, objects: list[Object], base: str) -> None:
        self._source = random.Random(seed)
        self._objects = objects
        self._fields: dict[str, Any] = {"resources": [base]}
        self._files: dict[str, str] = {}

    def make(self) -> dict[str, str]:
        parts: list[Callable[[], None]] = [
            self._merge, self._merge, self._operations, self._operations, self._replacement, self._images, self._order,
            self._generator, self._metadata, self._names,
        ]  # fmt: skip
        for part in self._source.sample(parts, self._source.randint(1, 4)):
            part()
        return {**self._files, "kustomization.yaml": yaml.safe_dump(self._fields, sort_keys=False)}

    def _add(self, field: str, *entries: Any) -> None:
        self._fields.setdefault(field, []).extend(entries)

    def _may(self, chance: float) -> bool:
        return self._source.random() < chance

    def _object(self) -> Object:
        return self._source.choice(self._objects)

    def _leaf(self, one: Object) -> tuple[Path, Any]:
        """Choose a field below the head, whatever it holds."""
        return self._source.choice([leaf for leaf in _leaves(one, ()) if len(leaf[0]) > 1 or leaf[0] == ("spec",)])

    def _written(self, value: Any) -> str:
        """Write a patch in one of the styles that people use."""
        match self._source.randrange(3):
            case 0:
                return json.dumps(value)
            case 1:
                return str(yaml.safe_dump(value, default_flow_style=None, sort_keys=False))
            case _:
                return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))

    def _target(self, one: Object) -> dict[str, str]:
        target = {"kind": one["kind"]}
        if self._may(0.8):
            target["name"] = one["metadata"]["name"]
        return target

    def _merge(self) -> None:
        one = self._object()
        metadata = {key: one["metadata"][key] for key in ("name", "namespace") if key in one["metadata"]}
        patch: Object = {"apiVersion": one["apiVersion"], "kind": one["kind"], "metadata": metadata}
        for _ in range(self._source.randint(1, 3)):
            path, old = self._leaf(one)
            if path[:2] not in {("metadata", "name"), ("metadata", "namespace")}:
                self._put(patch, one, path, old)
        target = {"target": self._target(one)} if self._may(0.4) else {}
        self._add("patches", {"patch": self._written(patch), **target})

    def _put(self, patch: Any, one: Any, path: Path, old: Any) -> None:
        """Write a new value at a path, through elements of lists by their keys."""
        for at, step in enumerate(path[:-1]):
            if not isinstance(patch, dict):  # a value that was put there before
                return
            one = one[step]
            below = patch.setdefault(step, [] if isinstance(one, list) else {})
            if isinstance(below, list) is not isinstance(one, list):
                return
            if isinstance(below, list):
                element = one[path[at + 1]]
                if not isinstance(element, dict) or at + 2 == len(path):
                    below.append(self._value(element))
                    return
                below.append({key: element[key] for key in ELEMENT_KEYS if key in element})
                self._put(below[-1], element, path[at + 2 :], old)
                return
            patch = below
        if isinstance(patch, dict):
            patch[path[-1]] = self._changed(old)

    def _changed(self, old: Any) -> Any:
        if self._may(0.15):
            return None
        if isinstance(old, dict) and self._may(0.3):
            return {"$patch": self._source.choice(["delete", "replace", "merge"]), "n": "1"}
        if isinstance(old, list) and self._may(0.4):
            return self._source.choice(
                [[], [{"$patch": "delete"}], [{"$patch": "replace"}, *old[:1]], old[::-1], old[:1]]
            )
        return self._value(old)

    def _value(self, old: Any) -> Any:
        return old if isinstance(old, dict | list) else self._source.choice(SCALARS)

    def _operations(self) -> None:
        one = self._object()
        operations = []
        for _ in range(self._source.randint(1, 3)):
            path, old = self._leaf(one)
            pointer = "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
            operation = {"op": self._source.choice(["replace", "replace", "add", "remove", "test"]), "path": pointer}
            if operation["op"] != "remove":
                operation["value"] = old if operation["op"] == "test" else self._value(old)
            operations.append(operation)
        self._add("patches", {"target": self._target(one), "patch": self._written(operations)})

    def _replacement(self) -> None:
        one, other = self._object(), self._object()
        source = {"kind": one["kind"], "name": one["metadata"]["name"], "fieldPath": _dotted(self._leaf(one)[0])}
        options: dict[str, Any] = {"create": True} if self._may(0.4) else {}
        path = "metadata.annotations.new" if options and self._may(0.5) else _dotted(self._leaf(other)[0])
        if self._may(0.3):
            options |= {"delimiter": self._source.choice(":/-."), "index": self._source.randint(-1, 2)}
        target = {"select": self._target(other), "fieldPaths": [path], "options": options}
        self._add("replacements", {"source": source, "targets": [target]})

    def _images(self) -> None:
        found = [value for one in self._objects for path, value in _leaves(one, ()) if path[-1:] == ("image",)]
        if found:
            name = str(self._source.choice(found)).partition("@")[0]
            change = self._source.choice([{"newTag": "9"}, {"newName": "q:5000/z"}, {"digest": "sha256:11"}])
            self._add("images", {"name": name.rpartition(":")[0] or name, **change})

    def _order(self) -> None:
        lists = {"orderFirst": ["Service", "Deployment"], "orderLast": ["ConfigMap"]}
        self._fields["sortOptions"] = self._source.choice(
            [{"order": "fifo"}, {"order": "legacy"}, {"order": "legacy", "legacySortOptions": lists}]
        )

    def _generator(self) -> None:
        configs = [one["metadata"]["name"] for one in self._objects if one["kind"] == "ConfigMap"]
        generator: dict[str, Any] = {"name": "made", "literals": ["a=b", "c='d'", "n=1", "k=2024-01-15"]}
        if configs and self._may(0.6):
            generator |= {"name": self._source.choice(configs), "behavior": self._source.choice(["merge", "replace"])}
        self._add("configMapGenerator", generator)

    def _metadata(self) -> None:
        self._fields |= self._source.choice(
            [
                {"labels": [{"pairs": {"one": "1"}, "includeSelectors": True}]},
                {"commonAnnotations": {"note": self._source.choice(["v", "true", "a: b", "x\ny"])}},
                {"buildMetadata": ["originAnnotations", "transformerAnnotations"]},
            ]
        )

    def _names(self) -> None:
        self._fields |= self._source.choice([{"namePrefix": "p-"}, {"nameSuffix": "-s"}, {"namespace": "late"}])


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Give every field of an object, the inner ones of mappings and lists too."""
    yield path, value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in steps:
        yield from _leaves(one, (*path, step))


def _dotted(path: Path) -> str:
    return ".".join(str(step).replace(".", "\\.") for step in path)
