"""Applications made of parts at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.documents import Dialect, read, read_with_positions
from controller.model import FieldPath, Position
from controller.render.oam import RenderedApplication, RenderedObject, render_application

CASES = Path(__file__).parent / "cases"


def application(*components: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {"components": list(components), **spec},
    }


def web(name: str = "web", *traits: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "webservice", "properties": {"image": f"{name}:1"}, "traits": list(traits)} | more


def rendered(*components: dict[str, Any], **spec: Any) -> RenderedApplication:
    return render_application(application(*components, **spec))


def objects_of(found: RenderedApplication) -> dict[str, RenderedObject]:
    """Give the first deployment's objects as `Kind name`."""
    return {f"{one.body['kind']} {one.body['metadata']['name']}": one for one in found.deployments[0].objects}


def from_yaml(text: str) -> Any:
    return read(text.encode(), path="app.yaml", dialect=Dialect.KUBERNETES)[0].value


def located(text: str) -> Any:
    positions = read_with_positions(text.encode(), path="app.yaml", dialect=Dialect.KUBERNETES)

    def locate(field: FieldPath) -> Position:
        return positions.position(0, field)

    return locate
