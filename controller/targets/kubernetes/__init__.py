"""Kubernetes clusters as targets: connection, cache, ownership, health; plan, apply, prune."""

from controller.targets.kubernetes.cluster import Cluster
from controller.targets.kubernetes.connection import Connection, Request, Response
from controller.targets.kubernetes.credentials import Logins
from controller.targets.kubernetes.health.fixtures import check_fixtures
from controller.targets.kubernetes.importing import Import, Imported, import_from
from controller.targets.kubernetes.opening import open_cluster

__all__ = [
    "Cluster",
    "Connection",
    "Import",
    "Imported",
    "Logins",
    "Request",
    "Response",
    "check_fixtures",
    "import_from",
    "open_cluster",
]
