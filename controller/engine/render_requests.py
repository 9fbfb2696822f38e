"""What rendering a placement takes, by its entry and the commits it stands on, and who renders it. Pure."""

from __future__ import annotations

from controller.engine.asking import Outputs
from controller.engine.fleet import Entry
from controller.engine.sources import Checkout
from controller.model import PlacementRef, Revision, TerraformTarget, Unknown
from controller.render import Rendered, RenderRequest, Wire, overlay_paths, render


def wires_of(entry: Entry, outputs: Outputs) -> tuple[Wire, ...]:
    """Give a placement's inputs their values. A terraform target gives, and takes nothing in."""
    if isinstance(entry.target, TerraformTarget):
        return ()
    return tuple(Wire(one, outputs.get(one.target, {}).get(one.output, Unknown())) for one in entry.application.inputs)


def is_of_cluster(entry: Entry) -> bool:
    """Tell whether what is rendered is for a cluster, and not a Terraform workspace."""
    return not isinstance(entry.target, TerraformTarget)


def rendered_by_target(request: RenderRequest, entry: Entry) -> Rendered:
    """Render what a target of this kind takes."""
    if isinstance(entry.target, TerraformTarget):
        from controller.render.terraform import render_workspace  # noqa: PLC0415  a fleet of clusters needs none of it

        return render_workspace(request)
    return render(request)


def request_for(placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> RenderRequest:
    """Say what rendering a placement takes."""
    return RenderRequest(
        placement=placement,
        revision=Revision(application.commit, platform.commit),
        application=application.tree,
        path=entry.application.path,
        platform=platform.tree,
        overlays=overlay_paths(placement),
        namespace=entry.application.namespace,
        parameters=entry.application.parameters,
        chart=entry.application.chart,
        decryption=entry.application.decryption,
        url=entry.repository.url,
        targets=entry.application.targets,
        surroundings=entry.surroundings,
    )
