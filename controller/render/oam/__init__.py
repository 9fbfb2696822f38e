"""OAM Applications of core.oam.dev/v1beta1 into objects, without KubeVela or any definition in a cluster."""

from controller.render.oam.application import API_VERSION, KIND, Component, Input, Output
from controller.render.oam.policies import Collect, Handling, Topology
from controller.render.oam.references import HelmReference, KustomizeReference, Reference, TerraformReference
from controller.render.oam.rendering import Deployment, RenderedApplication, RenderedObject, render_application
from controller.render.oam.wiring import Modules
from controller.render.oam.workflow import ApplyComponents, AwaitApplication, Deploy, Group, Step, Suspend

__all__ = [
    "API_VERSION",
    "KIND",
    "ApplyComponents",
    "AwaitApplication",
    "Collect",
    "Component",
    "Deploy",
    "Deployment",
    "Group",
    "Handling",
    "HelmReference",
    "Input",
    "KustomizeReference",
    "Modules",
    "Output",
    "Reference",
    "RenderedApplication",
    "RenderedObject",
    "Step",
    "Suspend",
    "TerraformReference",
    "Topology",
    "render_application",
]
