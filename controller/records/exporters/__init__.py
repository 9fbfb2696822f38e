"""Instances for other systems: pure; the engine finds exporters, reads instances and carries what they say."""

from controller.records.exporters.protocol import (
    Exporter,
    Instance,
    MakeExporter,
    Pushing,
    RefusedError,
    Relation,
    Reply,
    Request,
    Talk,
    instance_at,
    instance_of,
)

__all__ = [
    "Exporter",
    "Instance",
    "MakeExporter",
    "Pushing",
    "RefusedError",
    "Relation",
    "Reply",
    "Request",
    "Talk",
    "instance_at",
    "instance_of",
]
