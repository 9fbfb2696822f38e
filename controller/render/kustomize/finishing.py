"""What is done once, when all kustomizations of a build have said what they say (kusttarget.go, MakeCustomizedResMap).

Hashes, name references and vars, in this order; then what is local configuration goes.
"""

from __future__ import annotations

from controller.model import Invalid, Position, Problem, Stalled
from controller.render.kustomize.name_references import fix_references
from controller.render.kustomize.names import add_hash
from controller.render.kustomize.resource import Resource
from controller.render.kustomize.resources import needs_hash
from controller.render.kustomize.target import Accumulated
from controller.render.kustomize.variables import resolve_variables

LOCAL_CONFIG = "config.kubernetes.io/local-config"


def finish_build(gathered: Accumulated, place: str) -> None:
    """Do what is done once: hashes, name references, vars, and dropping what is local configuration."""
    items = gathered.items
    try:
        for one in items:
            if needs_hash(one):
                add_hash(one)
        items.ids_changed()
        fix_references(items, gathered.configuration)
        resolve_variables(items, gathered.variables, gathered.configuration.of("varReference"))
    except Invalid:
        raise
    except Stalled as error:
        raise Invalid([Problem(Position(place), str(error))]) from error
    problems = [problem for one in items if (problem := _what_lacks(one, place)) is not None]
    if problems:
        raise Invalid(problems)
    items.replace_all([one for one in items if not _is_local(one)])
    try:
        items.refuse_twins()  # hashes and vars may have given two of them one name
    except Stalled as error:
        raise Invalid([Problem(Position(place), str(error))]) from error


def _what_lacks(one: Resource, place: str) -> Problem | None:
    """Say what a resource has lost that none can be without (kyaml GetValidatedMetadata)."""
    lost = "kind" if not one.kind else "metadata.name" if not one.name and not one.kind.endswith("List") else ""
    if not lost:
        return None
    where = Position(one.source.path, one.source.line) if one.source else Position(place)
    return Problem(where, "a patch or a replacement has taken it away", lost)


def _is_local(one: Resource) -> bool:
    return one.annotation(LOCAL_CONFIG) not in {None, "false"}
