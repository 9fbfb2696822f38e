"""Where traits find the pod of a workload."""

from __future__ import annotations

from typing import Any, Final

from controller.render.oam.definition import Body, Context

POD: Final = "spec.template.spec"
CONTAINERS: Final = "spec.template.spec.containers"


def at(body: Any, *path: str) -> Any:
    """Give what lies at a path of mappings, None where there is nothing."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def nested(path: str, value: Any) -> Body:
    """Give a mapping with this value at a dotted path."""
    body = value
    for name in reversed(path.split(".")):
        body = {name: body}
    return body  # type: ignore[no-any-return]


def containers_of(workload: Body, context: Context, trait: str) -> list[Body]:
    """Give the workload's containers. Raises Invalid where it has no pod template."""
    found = at(workload, *CONTAINERS.split("."))
    if not isinstance(found, list):
        what = f"the {trait} trait needs pods, and this {workload.get('kind')} has no spec.template with containers"
        context.report.fail(context.path, what, "Remove the trait, or set it in the component's own properties.")
    return [one for one in found if isinstance(one, dict)]
