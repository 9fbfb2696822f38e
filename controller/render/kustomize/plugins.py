"""Kustomize's builtin generators and transformers, where files of `generators` and `transformers` configure them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.configuration import specs_of
from controller.render.kustomize.decoding import ListOf, MapOf, Optional, Struct, decode
from controller.render.kustomize.edits import Edit, edit_all
from controller.render.kustomize.fields import (
    CONFIG_MAP_ARGS,
    FIELD_SPECS,
    IMAGE,
    OBJECT_META,
    PATCH,
    REPLACEMENT_FIELD,
    REPLICA,
    SECRET_ARGS,
    SELECTOR,
)
from controller.render.kustomize.generators import generate
from controller.render.kustomize.images import setting_image
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.metadata import setting_texts
from controller.render.kustomize.names import add_hash, prefixing, suffixing
from controller.render.kustomize.namespaces import DEFAULT_ONLY, namespacing, set_namespace_of
from controller.render.kustomize.nodes import MISSING, is_scalar, styled, text_of, to_json
from controller.render.kustomize.patches import apply_json6902, apply_named, apply_patch, load_patch
from controller.render.kustomize.paths import FieldsByKind, lookup, split_path
from controller.render.kustomize.replacements import load_replacements, replace
from controller.render.kustomize.replicas import setting_replicas
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Resources, needs_hash
from controller.render.kustomize.selecting import selector_of
from controller.render.merge_keys import MergeTable

Transform = Callable[[Resources], object]
Configure = Callable[[Loader, Any, MergeTable, str], Transform]


def _config(fields: Mapping[str, Any], value: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = decode(Struct(fields), value, lenient=True)
    return decoded


def load_generator(loader: Loader, one: Resource) -> Resource:
    """Run a generator that a file configures. Raises Stalled for one that is not builtin."""
    _check_builtin(one)
    value = to_json(one.value)
    if one.kind in {"ConfigMapGenerator", "SecretGenerator"}:
        args = CONFIG_MAP_ARGS if one.kind == "ConfigMapGenerator" else SECRET_ARGS
        config = _config({**args.fields, "metadata": OBJECT_META}, value)
        config["name"] = config["name"] or config["metadata"]["name"]
        config["namespace"] = config["namespace"] or config["metadata"]["namespace"]
        if config["env"]:
            config["envs"] = [*config["envs"], config["env"]]
        return generate(loader, one.kind.removesuffix("Generator"), config, config["options"], one.source)
    if one.kind == "IAMPolicyGenerator":
        return _account(value, one)
    raise Stalled(f"generators: {one.kind} is no builtin generator")


def _account(value: Any, one: Resource) -> Resource:
    config = _config(
        {
            "cloud": str,
            "kubernetesService": Struct({"namespace": str, "name": str}),
            "serviceAccount": Struct({"name": str, "projectId": str}),
        },
        value,
    )
    if config["cloud"] != "gke":
        raise Stalled(f"IAMPolicyGenerator: the cloud {config['cloud']!r} is not supported: gke is")
    account = f"{config['serviceAccount']['name']}@{config['serviceAccount']['projectId']}.iam.gserviceaccount.com"
    metadata: dict[str, Any] = {"annotations": {"iam.gke.io/gcp-service-account": account}}
    metadata["name"] = config["kubernetesService"]["name"]
    if config["kubernetesService"]["namespace"]:
        metadata["namespace"] = config["kubernetesService"]["namespace"]
    return Resource({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, one.source)


def load_transformer(loader: Loader, one: Resource, table: MergeTable, place: str) -> Transform:
    """Give the transform that a file configures. Raises Stalled for one that is not builtin."""
    _check_builtin(one)
    configure = _TRANSFORMERS.get(one.kind)
    if configure is None:
        raise Stalled(f"transformers: {one.kind} is no builtin transformer")
    return configure(loader, to_json(one.value), table, place)


def _check_builtin(one: Resource) -> None:
    if one.api_version != "builtin":
        where = f"{one.source}: " if one.source else ""
        raise Stalled(f"{where}{one.api_version} {one.kind} is a plug-in that would run a program, which is refused")


def _editing(edit: Callable[[], Edit]) -> Transform:
    return lambda items: edit_all(items, edit())


def _annotations(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"annotations": MapOf(str), "fieldSpecs": FIELD_SPECS}, value)
    return _editing(lambda: setting_texts(config["annotations"], specs_of(config["fieldSpecs"])))


def _labels(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"labels": MapOf(str), "fieldSpecs": FIELD_SPECS}, value)
    return _editing(lambda: setting_texts(config["labels"], specs_of(config["fieldSpecs"])))


def _image(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"imageTag": IMAGE, "fieldSpecs": FIELD_SPECS}, value)
    return _editing(lambda: setting_image(config["imageTag"], specs_of(config["fieldSpecs"])))


def _replicas(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"replica": REPLICA, "fieldSpecs": FIELD_SPECS}, value)
    return _editing(lambda: setting_replicas(config["replica"], specs_of(config["fieldSpecs"])))


def _namespace(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    fields = {"metadata": OBJECT_META, "fieldSpecs": FIELD_SPECS, "unsetOnly": bool, "setRoleBindingSubjects": str}
    config = _config(fields, value)
    return _editing(
        lambda: namespacing(
            config["metadata"]["namespace"],
            specs_of(config["fieldSpecs"]),
            unset_only=config["unsetOnly"],
            subjects=config["setRoleBindingSubjects"] or DEFAULT_ONLY,
        )
    )


def _prefix(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"prefix": str, "fieldSpecs": FIELD_SPECS}, value)
    _needs_specs(value)
    return _editing(lambda: prefixing(config["prefix"], specs_of(config["fieldSpecs"])))


def _suffix(_loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"suffix": str, "fieldSpecs": FIELD_SPECS}, value)
    _needs_specs(value)
    return _editing(lambda: suffixing(config["suffix"], specs_of(config["fieldSpecs"])))


def _prefix_suffix(loader: Loader, value: Any, table: MergeTable, place: str) -> Transform:
    parts = [_prefix(loader, value, table, place), _suffix(loader, value, table, place)]

    def transform(items: Resources) -> None:
        for part in parts:
            part(items)

    return transform


def _needs_specs(value: Any) -> None:
    if not isinstance(value, dict) or value.get("fieldSpecs") is None:
        raise Stalled("fieldSpecs is not set")


def _hash(_loader: Loader, _value: Any, _table: MergeTable, _place: str) -> Transform:
    def transform(items: Resources) -> None:
        for one in items:
            if needs_hash(one):
                add_hash(one)
        items.ids_changed()

    return transform


def _patch(loader: Loader, value: Any, table: MergeTable, place: str) -> Transform:
    patch = load_patch(loader, _config(PATCH.fields, value), place)

    def transform(items: Resources) -> None:
        apply_patch(items, patch, table)

    return transform


def _json6902(loader: Loader, value: Any, _table: MergeTable, place: str) -> Transform:
    config = _config({"target": Optional(SELECTOR), "path": str, "jsonOp": str}, value)
    return lambda items: apply_json6902(items, loader, {**config, "patch": config["jsonOp"]}, place)


def _strategic_merge(loader: Loader, value: Any, table: MergeTable, place: str) -> Transform:
    config = _config({"paths": ListOf(str), "patches": str}, value)
    if not config["paths"] and not config["patches"]:
        raise Stalled("neither paths nor patches are set")
    patches = [one for path in config["paths"] for one in named_patches(loader, path, place)]
    if config["patches"]:
        patches.extend(loader.parse_inline(config["patches"], place))
    if not patches:
        raise Stalled("the patch is empty")
    return lambda items: apply_named(items, patches, table)


def named_patches(loader: Loader, entry: str, place: str) -> list[Resource]:
    """Read an entry of `patchesStrategicMerge`: a patch as text, or a path."""
    try:
        return loader.parse_inline(entry, place)
    except Stalled:
        return loader.resources(entry)


def _replacement(loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"replacements": ListOf(REPLACEMENT_FIELD)}, value)
    replacements = load_replacements(loader, config["replacements"])
    return lambda items: replace(items, replacements)


_TARGET: Final = Struct({"selector": Optional(SELECTOR), "fieldPath": str, "filePathPosition": int})


def _value_add(loader: Loader, value: Any, _table: MergeTable, _place: str) -> Transform:
    config = _config({"value": str, "targets": ListOf(_TARGET), "targetFilePath": str}, value)
    text = config["value"].strip() or posixpath.basename(loader.root)
    targets = list(config["targets"])
    if config["targetFilePath"]:
        place = loader.place(config["targetFilePath"])
        more = _config({"targets": ListOf(_TARGET)}, loader.config(loader.tree.read(place), place))
        targets.extend(more["targets"])
    if not targets or any(not one["fieldPath"] or one["filePathPosition"] < 0 for one in targets):
        raise Stalled("ValueAddTransformer: every target needs a fieldPath, and no negative filePathPosition")

    def transform(items: Resources) -> None:
        for target in targets:
            selected = list(items) if target["selector"] is None else items.select(selector_of(target["selector"]))
            for one in selected:
                _add_value(one, text, target)
        items.ids_changed()

    return transform


def _add_value(one: Resource, text: str, target: Mapping[str, Any]) -> None:
    if target["fieldPath"] == "metadata/namespace":
        set_namespace_of(one, text, FieldsByKind(()))
        return
    *above, last = split_path(target["fieldPath"])
    container: Any = one.value
    for part in above:
        found = lookup(container, [part])
        if found is MISSING:
            found = container[part] = {}
        container = found
    old = container.get(last, MISSING) if isinstance(container, dict) else MISSING
    if not isinstance(container, dict) or not is_scalar(old):
        raise Stalled(f"{target['fieldPath']} of {one.id} is no plain value")
    if target["filePathPosition"] > 0:
        text = _inserted("" if old is MISSING else text_of(old), target["filePathPosition"] - 1, text)
    container[last] = styled(text)


def _inserted(path: str, at: int, part: str) -> str:
    """Insert a part into a file path (kyaml/filesys InsertPathPart)."""
    if not path:
        return part
    parts = [one for one in path.split("/") if one]
    parts.insert(min(at, len(parts)), part)
    return ("/" if path.startswith("/") else "") + "/".join(parts)


_TRANSFORMERS: Final[Mapping[str, Configure]] = {
    "AnnotationsTransformer": _annotations,
    "HashTransformer": _hash,
    "ImageTagTransformer": _image,
    "LabelTransformer": _labels,
    "NamespaceTransformer": _namespace,
    "PatchJson6902Transformer": _json6902,
    "PatchStrategicMergeTransformer": _strategic_merge,
    "PatchTransformer": _patch,
    "PrefixSuffixTransformer": _prefix_suffix,
    "PrefixTransformer": _prefix,
    "SuffixTransformer": _suffix,
    "ReplacementTransformer": _replacement,
    "ReplicaCountTransformer": _replicas,
    "ValueAddTransformer": _value_add,
}
