"""Base and overlays of a placement into Manifests. Pure: no I/O but through the Trees it is given."""

from controller.render.addressing import is_element, resolve, value_at
from controller.render.encrypted import clear_values
from controller.render.kustomize import Order, build
from controller.render.needs import (
    NO_FACTS,
    ChartArchive,
    ChartHead,
    ChartTemplate,
    ClusterFacts,
    Decryption,
    Head,
    Lender,
    ModuleFolder,
    ModuleHead,
    Need,
    Needed,
    Prepared,
    Result,
    facts_of,
    head_of,
)
from controller.render.rendering import render
from controller.render.request import (
    NOWHERE,
    RENDERER_VERSION,
    Place,
    Read,
    Rendered,
    RenderRequest,
    Surroundings,
    Wire,
    overlay_paths,
)
from controller.render.trace import Setting, explain

__all__ = [
    "NOWHERE",
    "NO_FACTS",
    "RENDERER_VERSION",
    "ChartArchive",
    "ChartHead",
    "ChartTemplate",
    "ClusterFacts",
    "Decryption",
    "Head",
    "Lender",
    "ModuleFolder",
    "ModuleHead",
    "Need",
    "Needed",
    "Order",
    "Place",
    "Prepared",
    "Read",
    "RenderRequest",
    "Rendered",
    "Result",
    "Setting",
    "Surroundings",
    "Wire",
    "build",
    "clear_values",
    "explain",
    "facts_of",
    "head_of",
    "is_element",
    "overlay_paths",
    "render",
    "resolve",
    "value_at",
]
