"""Replacements: a value of one resource copied into fields of others (api/filters/replacement at v0.18.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controller.model import Stalled
from controller.render.kustomize.decoding import ListOf, decode
from controller.render.kustomize.fields import REPLACEMENT
from controller.render.kustomize.identity import ResId
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.nodes import (
    Untagged,
    assign,
    copied,
    is_empty,
    is_null,
    is_scalar,
    retyped,
    text_of,
)
from controller.render.kustomize.paths import CREATED, lookup, match, split_dotted
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import Idle, Resources
from controller.render.kustomize.selecting import Selector, parse_selector, res_id_of, selector_of

_NAME: Final = "metadata.name"


def load_replacements(loader: Loader, entries: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Read the entries of `replacements`, from their files where they name one."""
    found: list[Mapping[str, Any]] = []
    for entry in entries:
        if not entry["path"]:
            found.append(entry)
            continue
        if entry["source"] is not None or entry["targets"]:
            raise Stalled("replacements: an entry has `path`, or `source` and `targets`")
        place = loader.place(entry["path"])
        value = loader.config(loader.tree.read(place), place)
        if isinstance(value, list):
            found.extend(decode(ListOf(REPLACEMENT), value, lenient=True))
        elif isinstance(value, dict):
            found.append(decode(REPLACEMENT, value, lenient=True))
        else:
            raise Stalled(f"{place}: neither a replacement nor a list of them")
    return found


def replace(items: Resources, replacements: list[Mapping[str, Any]]) -> list[str]:
    """Copy each source's value into its targets. Gives warnings. Raises Stalled where a field can't be found."""
    warnings: list[str] = []
    for one in replacements:
        if one["source"] is None or not one["targets"]:
            raise Stalled("replacements: an entry needs a source and at least one target")
        value = _source_value(items, one["source"])
        warnings += [
            Idle(f"the target {number} of the source {res_id_of(one['source'])} matches nothing")
            for number, target in enumerate(one["targets"])
            if not _replace_in(items, value, target)
        ]
    items.ids_changed()
    return warnings


def _source_value(items: Resources, source: Mapping[str, Any]) -> Any:
    wanted = res_id_of(source)
    found = [one for one in items if any(each.is_selected_by(wanted) for each in _ids(one))]
    if len(found) != 1:
        what = "nothing is" if not found else f"{len(found)} resources are"
        raise Stalled(f"replacements: {what} selected by the source {wanted}")
    path = source["fieldPath"] or _NAME
    value = lookup(found[0].value, split_dotted(path))
    if is_empty(value):
        raise Stalled(f"replacements: the source {wanted} has no field {path}")
    options = source["options"]
    if not options or not options["delimiter"]:
        return value
    if not is_scalar(value):
        raise Stalled(f"replacements: {path} is split by a delimiter, but is no text")
    parts = text_of(value).split(options["delimiter"])
    if not 0 <= options["index"] < len(parts):
        raise Stalled(f"replacements: {path} has {len(parts)} parts, so there is no part {options['index']}")
    return Untagged(parts[options["index"]])


def _ids(one: Resource) -> list[ResId]:
    now = one.id
    return [now._replace(is_cluster_scoped=False), *one.previous_ids]


def _replace_in(items: Resources, value: Any, target: Mapping[str, Any] | None) -> bool:
    """Copy a value into what a target selects. False where that is nothing."""
    if target is None or target["select"] is None:
        raise Stalled("replacements: a target needs `select`")
    select = selector_of(target["select"])
    rejects = [selector_of(one) for one in target["reject"] if one is not None]
    is_found = False
    for one in items:
        if not _has_marks(one, select):
            continue
        if any((each.labels or each.annotations) and _has_marks(one, each) for each in rejects):
            continue
        ids = _ids(one)
        is_rejected = any(each.id != ResId() and any(mine.is_selected_by(each.id) for mine in ids) for each in rejects)
        if not is_rejected and any(mine.is_selected_by(select.id) for mine in ids):
            is_found = True
            _copy_into(one, value, target)
    return is_found


def _has_marks(one: Resource, selector: Selector) -> bool:
    return all(each(one.annotations) for each in parse_selector(selector.annotations)) and all(
        each(one.labels) for each in parse_selector(selector.labels)
    )


def _copy_into(one: Resource, value: Any, target: Mapping[str, Any]) -> None:
    options = target["options"]
    create = type(value) if options and options["create"] else None
    if create is not None and create not in {dict, list}:
        create = str
    for path in target["fieldPaths"] or [_NAME]:
        try:
            places = match([one.value], 0, split_dotted(path), create)
        except Stalled as error:
            raise Stalled(f"replacements: {path} of {one.id}: {error}") from error
        if not places:
            raise Stalled(f"replacements: {one.id} has no field {path}. Set options.create if it is to be made")
        for container, key in places:
            _set(container, key, value, options)


def _set(container: Any, key: Any, value: Any, options: Mapping[str, Any] | None) -> None:
    old = container[key]
    if options and options["delimiter"]:
        if old is not CREATED and not is_scalar(old):
            raise Stalled(f"replacements: {key} is split by a delimiter, but is no text")
        parts = ("" if old is CREATED else text_of(old)).split(options["delimiter"])
        text, at = ("" if is_null(value) else text_of(value)), options["index"]
        if at < 0:
            parts.insert(0, text)
        elif at >= len(parts):
            parts.append(text)
        else:
            parts[at] = text
        value = Untagged(options["delimiter"].join(parts))
    if old is CREATED:
        container[key] = Untagged(text_of(value)) if is_scalar(value) else copied(value)
    elif is_scalar(old):
        assign(container, key, retyped(old, text_of(value)))
    else:
        container[key] = copied(value)
