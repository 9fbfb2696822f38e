"""Kustomize 5.5, in process and without a binary: the same bytes, from Trees."""

from controller.render.kustomize.building import Order, build, drafts_of

__all__ = ["Order", "build", "drafts_of"]
