"""Vars: `$(NAME)` in chosen fields, after names are final (api/filters/refvar and api/internal/accumulator)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controller.documents import format_json_float, is_spelled
from controller.model import Stalled
from controller.render.kustomize.configuration import Specs
from controller.render.kustomize.identity import ResId, cluster_scoped_kinds, gvk_of
from controller.render.kustomize.nodes import (
    MISSING,
    Cell,
    assign,
    is_null,
    is_text,
    styled,
    text_of,
    to_json,
)
from controller.render.kustomize.paths import FieldsByKind, lookup, split_dotted, visit
from controller.render.kustomize.resources import Resources

_NAME: Final = "metadata.name"
Variables = dict[str, Mapping[str, Any]]


def add_variables(known: Variables, incoming: list[Mapping[str, Any]]) -> None:
    """Add vars to those of other kustomizations. Raises Stalled for a name that is taken."""
    for one in incoming:
        if one["name"] in known:
            raise Stalled(f"vars: {one['name']} is there already")
        known[one["name"]] = one


def note_variables(items: Resources, incoming: list[Mapping[str, Any]]) -> None:
    """Note at each resource which vars read it, while its name is still the one that the vars know."""
    for one in incoming:
        wanted = _target(one["objref"])
        if wanted.namespace or wanted.is_cluster_scoped:
            found = items.by_any_id(wanted)
        else:
            found = items.filtered(lambda each, wanted=wanted: (each.gvk, each.name) == (wanted.gvk, wanted.name))  # type: ignore[misc]
        if len(found) > 1:
            raise Stalled(f"vars: {len(found)} resources are {wanted}, which {one['name']} reads")
        if found:
            found[0].refvars.append(one["name"])


def _target(reference: Mapping[str, Any]) -> ResId:
    gvk = gvk_of("", reference["kind"])._replace(group=reference["group"], version=reference["version"])
    if reference["apiVersion"]:
        parts = reference["apiVersion"].split("/")
        if len(parts) == 2:
            gvk = gvk._replace(group=parts[0], version=parts[1])
        elif len(parts) == 1:
            gvk = gvk._replace(version=parts[0])
    is_cluster_scoped = (gvk.api_version, gvk.kind) in cluster_scoped_kinds()
    return ResId(gvk, reference["name"], reference["namespace"], is_cluster_scoped)


def resolve_variables(items: Resources, known: Variables, specs: Specs) -> None:
    """Put every var's value where it is referred to. Raises Stalled for a var that reads nothing."""
    if not known:
        return
    values = {name: _value(items, name, one) for name, one in sorted(known.items())}

    def set_value(container: Any, key: Any) -> None:
        _replace_in(container, key, values)

    fields = FieldsByKind(specs)
    for one in items:
        for spec in fields.of(one.gvk):
            visit(one.value, spec, set_value)


def _value(items: Resources, name: str, one: Mapping[str, Any]) -> Any:
    path = one["fieldref"]["fieldPath"] or _NAME
    for resource in items:
        if name in resource.refvars:
            value = lookup(resource.value, _with_positions(split_dotted(path)))
            if value is MISSING:
                raise Stalled(f"vars: {name} reads {path}, which {resource.id} does not have")
            return text_of(value) if is_null(value) else _scalar(value)
    raise Stalled(f"vars: there is no resource that {name} could read")


def _scalar(value: Any) -> Any:
    """Give a scalar as Go would hold it: what is not a plain number or boolean stays text."""
    if isinstance(value, Cell):
        value = value.value
    if isinstance(value, str) and is_spelled(value):
        return text_of(value)
    return str(value) if isinstance(value, str) else to_json(value)


def _with_positions(path: list[str]) -> list[str]:
    """Split `ports[0]` into `ports` and `0` (kyaml convertSliceIndex)."""
    found: list[str] = []
    for part in path:
        name, bracket, position = part.rpartition("[")
        if bracket and position.endswith("]") and position[:-1].isdigit():
            found.extend(one for one in (name, position[:-1]) if one)
        else:
            found.append(part)
    return found


def _replace_in(container: Any, key: Any, values: Mapping[str, Any]) -> None:
    node = container[key]
    if is_null(node):
        return
    if isinstance(node, dict):
        for name, one in node.items():
            if is_text(one):
                assign(node, name, _expanded(text_of(one), values))
    elif isinstance(node, list):
        for at, one in enumerate(node):
            if not is_text(one):
                raise Stalled(f"vars: {key} has an element that is no text")
            assign(node, at, _expanded(text_of(one), values))
    elif is_text(node):
        assign(container, key, _expanded(text_of(node), values))


def _expanded(text: str, values: Mapping[str, Any]) -> Any:
    """Expand references; a text that is one reference whole takes the value's type (refvar/expand.go)."""
    if "$" not in text:
        return styled(text)
    out: list[str] = []
    checkpoint = at = 0
    while at < len(text):
        if text[at] != "$" or at + 1 >= len(text):
            at += 1
            continue
        out.append(text[checkpoint:at])
        following = text[at + 1]
        if following == "$":
            out.append("$")
            at += 2
        elif following == "(":
            end = text.find(")", at + 2)
            if end < 0:
                out.append("$(")
                at += 2
            else:
                name = text[at + 2 : end]
                found = values.get(name, MISSING)
                if found is MISSING or isinstance(found, dict | list):
                    found = f"$({name})"
                if text == f"$({name})":
                    return styled(found) if isinstance(found, str) else found
                out.append(_go_text(found))
                at = end + 1
        else:
            out.append(f"${following}")
            at += 2
        checkpoint = at
    return styled("".join(out) + text[checkpoint:])


def _go_text(value: Any) -> str:
    if isinstance(value, float):
        return format_json_float(value)
    return text_of(value)
