"""What makes objects move by themselves: workloads, a node that pretends, garbage collection, namespaces."""

from controller.sandbox.cluster.controllers.loop import Loop

__all__ = ["Loop"]
