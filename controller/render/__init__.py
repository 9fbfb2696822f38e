"""Base and overlays of a placement into Manifests. Pure: no I/O but through the Trees it is given."""

from controller.render.addressing import is_element, resolve, value_at
from controller.render.kustomize import Order, build
from controller.render.needs import ChartTemplate, Decryption, Need, Needed, Prepared, Result
from controller.render.rendering import render
from controller.render.request import RENDERER_VERSION, Read, Rendered, RenderRequest, Wire, overlay_paths
from controller.render.trace import Setting, explain

__all__ = [
    "RENDERER_VERSION",
    "ChartTemplate",
    "Decryption",
    "Need",
    "Needed",
    "Order",
    "Prepared",
    "Read",
    "RenderRequest",
    "Rendered",
    "Result",
    "Setting",
    "Wire",
    "build",
    "explain",
    "is_element",
    "overlay_paths",
    "render",
    "resolve",
    "value_at",
]
