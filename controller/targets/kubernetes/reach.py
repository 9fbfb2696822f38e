"""Where on a cluster we look and write: everywhere, or in single namespaces without any right beyond them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from controller.targets.kubernetes.labels import SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True)
class Reach:
    """`namespaces` () is the whole cluster. The first of them keeps what we keep for ourselves."""

    namespaces: tuple[str, ...] = ()

    @property
    def home(self) -> str:
        """The namespace of parents and Leases."""
        return self.namespaces[0] if self.namespaces else SYSTEM_NAMESPACE

    def places(self, namespaces: Collection[str]) -> tuple[str, ...]:
        """Say what to list and watch to see these namespaces and our own, one by one; "" is all of them at once."""
        if not self.namespaces:
            return ("",)
        return tuple(one for one in self.namespaces if one == self.home or one in namespaces)

    def objection(self, namespace: str) -> str:
        """Say why nothing may be written in a namespace ("": an object without one); "" when it may."""
        if not self.namespaces or namespace in self.namespaces:
            return ""
        what = f"namespace {namespace} is none of them" if namespace else "the object has no namespace"
        return f"this target is limited to the namespaces {', '.join(self.namespaces)}, and {what}"


EVERYWHERE: Final = Reach()
