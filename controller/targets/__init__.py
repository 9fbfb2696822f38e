"""Where things live: one package per kind of target, each behind the same four methods."""

from controller.targets.protocol import Target
from controller.targets.releasing import next_end, release

__all__ = ["Target", "next_end", "release"]
