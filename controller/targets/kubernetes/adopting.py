"""Objects that were there before us: whose they are, and how they become ours without losing or doubling a field. Pure.

Who applied an object so far owns its fields. Would we only apply beside him, what git no longer says would stay, and a
list element whose merge key changed (port 80 → 81) would stand there twice. So the sets of the tools that people deploy
with are made ours before our first apply; that apply then takes away what git does not say. What others wrote (an
operator, an autoscaler) stays theirs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from controller.model import ABSENT, Adopt
from controller.targets.kubernetes.diff import merge_keys, shape_of
from controller.targets.kubernetes.handover import without
from controller.targets.kubernetes.labels import MANAGER, RELEASED_MANAGER
from controller.targets.kubernetes.ownership import APPLY, field_set, lost, match_elements

Entry = Mapping[str, Any]

# The field managers of what people deploy with: kubectl (apply, create, edit, set…), the server's stand-in for objects
# older than managedFields, Helm, Flux, Argo CD, Terraform's and Pulumi's providers, kapp.
DEPLOYERS: Final = (
    "kubectl", "kubectl-*", "before-first-apply", "helm", "Helm", "helm-controller", "kustomize-controller", "gotk-*",
    "flux*", "argocd-controller", "argocd-application-controller", "argo-cd*", "Terraform*", "HashiCorp", "terraform-*",
    "pulumi-kubernetes*", "kapp*", RELEASED_MANAGER,
)  # fmt: skip
# Those of them that leave no other mark on what they manage.
UNMARKED: Final[Mapping[str, str]] = {
    "Terraform*": "Terraform",
    "terraform-*": "Terraform",
    "HashiCorp": "Terraform",
    "pulumi-kubernetes*": "Pulumi",
}


def tool_of_managers(managed: Iterable[Entry]) -> str:
    """Name the tool that an object's field managers betray where it leaves no marks; "" for none."""
    for entry in managed:
        manager = str(entry.get("manager", ""))
        for glob, tool in UNMARKED.items():
            if fnmatchcase(manager, glob):
                return f"{tool} (field manager {manager})"
    return ""


def adoption_objection(policy: Adopt, tool: str) -> str:
    """Say why an object that was there before us is not taken over; "" when it is."""
    match policy:
        case Adopt.REFUSE:
            whose = f" and belongs to {tool}" if tool else ""
            return f"it was there before{whose}: `adopt: refuse` leaves it alone. `adopt: unowned` takes it over"
        case Adopt.UNOWNED:
            return (
                f"it belongs to {tool}. Have that let go of it, or take it over with `adopt: takeOver`" if tool else ""
            )
        case Adopt.TAKE_OVER:
            return ""


@dataclass(frozen=True, slots=True)
class Migration:
    """An object's managedFields with the deployers' sets made ours."""

    managers: tuple[str, ...]  # whose, sorted; () for none
    entries: tuple[Entry, ...]  # what managedFields become


def migration(managed: Sequence[Entry]) -> Migration:
    """Make the sets of deployers ours. Sets of another API version than the newest one's stay: they speak otherwise."""
    going = [one for one in managed if is_deployer(one)]
    if not going:
        return Migration((), tuple(managed))
    version = max(going, key=lambda one: str(one.get("time", ""))).get("apiVersion")
    mine = [one for one in managed if _is_ours(one)]
    if mine:
        version = mine[0].get("apiVersion")
    going = [one for one in going if one.get("apiVersion") == version]
    if not going:
        return Migration((), tuple(managed))
    tree: dict[str, Any] = {}
    for one in (*mine, *going):
        _merge(tree, one.get("fieldsV1") or {})
    moments = [str(one["time"]) for one in (*mine, *going) if one.get("time")]
    ours = {
        "manager": MANAGER,
        "operation": APPLY,
        "apiVersion": version,
        **({"time": max(moments)} if moments else {}),
        "fieldsType": "FieldsV1",
        "fieldsV1": tree,
    }
    rest = [one for one in managed if one not in going and one not in mine]
    return Migration(tuple(sorted({str(one.get("manager", "")) for one in going})), (ours, *rest))


def is_deployer(entry: Entry) -> bool:
    if entry.get("subresource"):
        return False
    return any(fnmatchcase(str(entry.get("manager", "")), glob) for glob in DEPLOYERS)


def adopted(live: Mapping[str, Any], managed: Sequence[Entry], body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a live object becomes by our apply of a body once the deployers' sets are ours.

    No dry run shows that before they are. What deployers hold, and neither the body names nor anybody else holds, goes.
    """
    held: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for one in managed:
        _merge(held if is_deployer(one) or _is_ours(one) else kept, one.get("fieldsV1") or {})
    rest = without(live, lost(field_set(_unnamed(held, body)), field_set(kept)))
    whole: dict[str, Any] = overlaid(rest, body, shape_of(managed))
    return whole


def _unnamed(tree: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Cut out of a field set what a body does not name."""
    found: dict[str, Any] = {}
    elements = match_elements(body, tree) if isinstance(body, list) else []
    for key, below in tree.items():
        if key == ".":
            continue
        inner = body.get(key[2:], ABSENT) if isinstance(body, dict) and key.startswith("f:") else ABSENT
        if key in elements:
            inner = body[elements.index(key)]
        if inner is ABSENT:
            found[key] = below
        elif rest := _unnamed(below, inner):
            found[key] = rest
    return found


def overlaid(live: Any, body: Any, shape: Mapping[str, Any] | None) -> Any:
    """Merge a body over a live value as a server-side apply does: maps by name, lists by merge keys, else whole."""
    if isinstance(live, dict) and isinstance(body, dict) and not is_whole(shape):
        merged = dict(live)
        for name, value in body.items():
            below = (shape or {}).get(f"f:{name}")
            merged[name] = overlaid(live[name], value, below) if name in live else value
        return merged
    keys = merge_keys(dict(shape)) if shape else None
    if not isinstance(live, list) or not isinstance(body, list) or keys is None:
        return body
    if not keys:
        return [*live, *(one for one in body if one not in live)]
    return _overlaid_list(live, body, keys, shape or {})


def _overlaid_list(live: list[Any], body: list[Any], keys: tuple[str, ...], shape: Mapping[str, Any]) -> list[Any]:
    merged = list(live)
    below = shape_of([{"fieldsV1": one} for key, one in shape.items() if key.startswith("k:")])
    for element in body:
        said = [name for name in keys if name in element] if isinstance(element, dict) else []
        found = (n for n, one in enumerate(merged) if said and all(one.get(name) == element[name] for name in said))
        index = next(found, None)
        if index is None:
            merged.append(element)
        else:
            merged[index] = overlaid(merged[index], element, below)
    return merged


def is_whole(shape: Mapping[str, Any] | None) -> bool:
    """Tell whether somebody owns a node as a whole."""
    return shape is not None and not any(key != "." for key in shape)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Make the JSON merge patch (RFC 7386) that leads from one object to another; lists are sent whole."""
    patch: dict[str, Any] = {}
    for name in sorted({*before, *after}):
        one, other = before.get(name, ABSENT), after.get(name, ABSENT)
        if other is ABSENT:
            patch[name] = None
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            if inner := merge_patch(one, other):
                patch[name] = inner
        elif one != other or type(one) is not type(other):
            patch[name] = other
    return patch


def _is_ours(entry: Entry) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == APPLY and not entry.get("subresource")


def _merge(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for key, below in tree.items():
        if key not in into:
            into[key] = copy.deepcopy(below)
        else:
            _merge(into[key], below)
