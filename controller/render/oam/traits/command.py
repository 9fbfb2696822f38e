"""command: a container's command and arguments, set, added to or taken from."""

from __future__ import annotations

from typing import Final

from controller.model import FieldPath
from controller.render.oam.definition import Body, Context, Effect, Parameters, TraitDefinition
from controller.render.oam.schema import TEXTS, Maybe
from controller.render.oam.traits.containers import OneOrMany, patch_containers


def _patch(parameters: Parameters, container: Body, context: Context, path: FieldPath) -> Body:
    args, added, deleted = parameters["args"], parameters["addArgs"], parameters["delArgs"]
    if args is not None and not (added is None and deleted is None):
        context.report.wrong((*path, "args"), "set together with addArgs or delArgs", "Write the one or the other.")
    before = args if args is not None else container.get("args") or []
    gone = set(deleted or ())
    kept = [one for one in before if one not in gone]
    new = [one for one in added or () if one not in gone and one not in before]
    body: Body = {"args": kept + new}
    return body if parameters["command"] is None else body | {"command": parameters["command"]}


def _apply(parameters: Parameters, workload: Body, context: Context) -> Effect:
    replaced = ("command", "args")
    return patch_containers(parameters, workload, context, trait="command", patch=_patch, replaced=replaced)


COMMAND: Final = TraitDefinition(
    OneOrMany({"command": Maybe(TEXTS), "args": Maybe(TEXTS), "addArgs": Maybe(TEXTS), "delArgs": Maybe(TEXTS)}),
    _apply,
)
