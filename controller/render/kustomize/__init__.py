"""Kustomize 5.5, in process and without a binary: the same bytes, from Trees."""

from controller.render.kustomize.building import Order, build, drafts_of
from controller.render.kustomize.kustomization import Additions

__all__ = ["Additions", "Order", "build", "drafts_of"]
