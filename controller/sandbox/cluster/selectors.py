"""Label and field selectors, as list and watch requests write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from controller.model import JsonValue
from controller.sandbox.cluster.refusals import Refused, bad_request
from controller.sandbox.cluster.schema import Body

Matches = Callable[[Body], bool]
_TOKEN = re.compile(r"\s*(?:([^\s,=!()<>]+)|(==|!=|=|!|,|\(|\)))")
# Beside these every kind has metadata.name and metadata.namespace.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase"),
    "Event": (
        "involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid", "reason",
        "type",
    ),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "Job": ("status.successful",),
    "ReplicaSet": ("status.replicas",),
    "Node": ("spec.unschedulable",),
}  # fmt: skip


def labels(text: str) -> Matches:
    """Read `a=b,c!=d,e in (f,g),h,!i`. Raises Refused (400) for what is no selector."""
    terms = [_term(part) for part in _split(text)]

    def matches(body: Body) -> bool:
        found = labels_of(body)
        return all(term(found) for term in terms)

    return matches


def labels_of(body: Body) -> Mapping[str, str]:
    meta = body.get("metadata")
    found = meta.get("labels") if isinstance(meta, dict) else None
    return found if isinstance(found, dict) else {}


def _split(text: str) -> list[list[str]]:
    tokens: list[str] = []
    rest = text
    while rest.strip():
        match = _TOKEN.match(rest)
        if not match:
            raise bad_request(f"unable to parse requirement: found '{rest.strip()}'")
        tokens.append(match[1] or match[2])
        rest = rest[match.end() :]
    parts: list[list[str]] = [[]]
    inside = False
    for one in tokens:
        inside = one == "(" or (inside and one != ")")
        if one == "," and not inside:
            parts.append([])
        else:
            parts[-1].append(one)
    return [part for part in parts if part]


def _term(tokens: list[str]) -> Callable[[Mapping[str, str]], bool]:
    match tokens:
        case [key, "=" | "==", value]:
            return lambda found: found.get(key) == value
        case [key, "=" | "=="]:
            return lambda found: found.get(key) == ""
        case [key, "!=", value]:
            return lambda found: found.get(key) != value
        case [key, "in", "(", *values, ")"]:
            wanted = {one for one in values if one != ","}
            return lambda found: found.get(key) in wanted
        case [key, "notin", "(", *values, ")"]:
            unwanted = {one for one in values if one != ","}
            return lambda found: found.get(key) not in unwanted
        case ["!", key]:
            return lambda found: key not in found
        case [key] if key not in {"=", "==", "!=", "!", "(", ")"}:
            return lambda found: key in found
        case _:
            raise _no_selector(tokens)


def _no_selector(tokens: list[str]) -> Refused:
    """Name the first word that does not belong: the one after a key, an operator and a value."""
    return bad_request(f"found '{tokens[3] if len(tokens) > 3 else tokens[-1]}', expected: ',' or 'end of string'")


def fields(text: str, kind: str) -> Matches:
    """Read `metadata.name=a,status.phase!=Running`. Raises Refused (400) for a field that can't be selected."""
    known = {"metadata.name", "metadata.namespace", *FIELDS.get(kind, ())}
    terms: list[tuple[list[str], str, bool]] = []
    for part in text.split(","):
        if not part.strip():
            continue
        name, operator, value = re.split(r"(!=|==|=)", part.strip(), maxsplit=1) if "=" in part else (part, "", "")
        if not operator:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if name not in known:
            supported = ", ".join(f'"{one}"' for one in sorted(known))
            raise bad_request(f'"{name}" is not a known field selector: only {supported}')
        terms.append((name.split("."), value, operator != "!="))
    return lambda body: all((_at(body, path) == value) is wanted for path, value, wanted in terms)


def _at(body: JsonValue, path: list[str]) -> str:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return "" if body is None else str(body).lower() if isinstance(body, bool) else str(body)


def label_selector(selector: JsonValue) -> Callable[[Mapping[str, str]], bool]:
    """Read a LabelSelector object (`matchLabels`, `matchExpressions`). An empty one matches everything."""
    data = selector if isinstance(selector, dict) else {}
    wanted, expressions = data.get("matchLabels"), data.get("matchExpressions")
    terms = [_term([key, "=", str(value)]) for key, value in (wanted.items() if isinstance(wanted, dict) else ())]
    terms += [
        _expression(str(one.get("key")), str(one.get("operator")), one.get("values"))
        for one in (expressions if isinstance(expressions, list) else ())
        if isinstance(one, dict)
    ]
    return lambda found: all(term(found) for term in terms)


def _expression(key: str, operator: str, values: JsonValue) -> Callable[[Mapping[str, str]], bool]:
    known = {str(one) for one in values} if isinstance(values, list) else set()
    match operator:
        case "In":
            return lambda found: found.get(key) in known
        case "NotIn":
            return lambda found: found.get(key) not in known
        case "Exists":
            return lambda found: key in found
        case _:
            return lambda found: key not in found
