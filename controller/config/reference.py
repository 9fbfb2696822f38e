"""The reference page of the interface files, made from their schemas: `python -m controller.config` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from controller.config.schema import schemas

Schema: TypeAlias = Mapping[str, Any]

_INTRODUCTION = """\
# Interface files

<!-- Made from controller/config/schemas by `python -m controller.config`. Edit the schemas. -->

What people write by hand, field by field. `converge validate` checks these files and reports every mistake at once,
with file:line, what is wrong and what to do. The JSON Schemas (draft 2020-12) that this page is made from ship with the
package; editors complete and check files with them. `converge.yaml`, `environments/` and `overlays/` of this repository
are an example of platforms and environments.

A field that a schema does not name is a mistake, so that a misspelt one is never silently without effect. A field that
is left out has the default shown. Texts that YAML would take for numbers or true and false need quotes.

Mistakes come in two kinds. What makes a file or a reference between files wrong keeps the whole commit from coming into
force: the newest commit before it that is right stays. What concerns single applications (a cycle of `dependsOn`, a
target, environment, namespace or kind that a repository may not touch) stops these, and everything else goes on.
"""
_TYPES = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "true or false",
}
_FORMATS = {
    "address": "address",
    "age-recipient": "public key of age",
    "address-glob": "address or glob of addresses",
    "branch-glob": "branch or glob of branches",
    "commit-id": "commit",
    "cron": "cron expression",
    "credential-name": "name of a credential",
    "date": "date",
    "dns-label": "DNS label",
    "fact-path": "path of a fact",
    "field-path": "field",
    "object-reference": "`Kind/name`",
    "output-reference": "`target.output`",
    "duration": "duration",
    "end-point": "URL",
    "field": "field path or JSON pointer",
    "git-branch": "branch",
    "git-revision": "branch, tag or commit",
    "git-url": "URL",
    "glob": "glob",
    "group-kind": "`Kind.group`",
    "group-reference": "`application` or `environment/application`",
    "installation": "id",
    "kind-glob": "`Kind` or `group/Kind`, globs",
    "label-value": "label value",
    "manager-glob": "glob, `!` excepts",
    "moment": "date or time",
    "service-account": "service account",
    "subject-template": "template",
    "repository-url": "URL",
    "time-zone": "time zone",
    "near-path": "path",
    "tree-path": "path",
    "version-range": "version or range",
    "window-duration": "duration",
}
_PLURALS = {
    "field path or JSON pointer": "field paths or JSON pointers",
    "glob, `!` excepts": "globs, `!` excepts",
    "mapping": "mappings",
    "glob": "globs",
    "text": "texts",
    "name of a credential": "names of credentials",
}


def reference() -> str:
    """Give the page as Markdown."""
    parts = [_INTRODUCTION]
    for kind, schema in schemas().items():
        parts.append(f"## {kind}\n\n{schema['description']}\n")
        parts += field_tables(schema)
    return "\n".join(parts)


def field_tables(schema: Schema) -> tuple[str, ...]:
    """Give a schema's fields as Markdown tables: the file's own, then those of every mapping inside."""
    return tuple(_tables("", schema, schema, set()))


def _tables(path: str, schema: Schema, root: Schema, seen: set[str]) -> Iterator[str]:
    """Give the table of a mapping's fields, then those of the mappings inside, each definition once."""
    rows = list(_rows(schema, root))
    if path:
        yield f"### `{path}`\n\n{schema.get('description', '')}\n"
    if rows:
        yield "\n".join(("| Field | Value | Default | What it says |", "| --- | --- | --- | --- |", *rows, ""))
    for name, field in schema.get("properties", {}).items():
        reference, inner, suffix = _inside(field, root)
        if inner is None or reference in seen:
            continue
        seen |= {reference} if reference else set()
        yield from _tables(f"{path}.{name}{suffix}".lstrip("."), inner, root, seen)


def _rows(schema: Schema, root: Schema) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        whole = {**_resolved(field, root)[1], **field}
        default = "required" if name in required else _shown(whole.get("default"))
        yield f"| `{name}` | {_value(whole, root)} | {default} | {whole.get('description', '')} |"


def _shown(default: object) -> str:
    if default is None or default == "":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(field: Schema, root: Schema) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    if "format" in field:
        return _FORMATS[field["format"]]
    if "type" not in field:
        return "any value"
    types = [field["type"]] if isinstance(field["type"], str) else field["type"]
    if types == ["array"]:
        return f"list of {_plural(_resolved(field['items'], root)[1], root)}"
    if "additionalProperties" in field and field["additionalProperties"] is not False:
        return "mapping by name"
    return " or ".join(dict.fromkeys(_TYPES[one] for one in types if one != "null"))


def _plural(items: Schema, root: Schema) -> str:
    value = "mapping" if items.get("type") == "object" else _value(items, root)
    return _PLURALS.get(value, value)


def _resolved(field: Schema, root: Schema) -> tuple[str, Schema]:
    if "$ref" not in field:
        return "", field
    name = field["$ref"].rpartition("/")[2]
    return name, root["$defs"][name]


def _inside(field: Schema, root: Schema) -> tuple[str, Schema | None, str]:
    """Give the mapping that a field leads to, with its definition's name and what its path ends with."""
    name, whole = _resolved(field, root)
    others = whole.get("additionalProperties")
    if isinstance(others, Mapping):
        inner, whole = _resolved(others, root)
        return inner, whole if "properties" in whole else None, ".<name>"
    if whole.get("type") == "array":
        inner, whole = _resolved(whole["items"], root)
        return inner, whole if "properties" in whole else None, "[]"
    return name, whole if "properties" in whole else None, ""
