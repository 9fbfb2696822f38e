"""Where things live: one package per kind of target, each behind the same four methods."""

from controller.targets.protocol import Target

__all__ = ["Target"]
