"""Component types, by the names that Applications use: a file each, as KubeVela 1.11 defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.render.oam.components.cron_task import CRON_TASK
from controller.render.oam.components.daemon import DAEMON
from controller.render.oam.components.objects import K8S_OBJECTS, RAW
from controller.render.oam.components.statefulset import STATEFULSET
from controller.render.oam.components.task import TASK
from controller.render.oam.components.webservice import WEBSERVICE
from controller.render.oam.components.worker import WORKER
from controller.render.oam.definition import ComponentDefinition

COMPONENTS: Final[Mapping[str, ComponentDefinition]] = {
    "cron-task": CRON_TASK,
    "daemon": DAEMON,
    "k8s-objects": K8S_OBJECTS,
    "raw": RAW,
    "statefulset": STATEFULSET,
    "task": TASK,
    "webservice": WEBSERVICE,
    "worker": WORKER,
}

# Types that KubeVela has and we don't, and what to use instead.
REFUSED: Final[Mapping[str, str]] = {
    "ref-objects": "Objects are rendered from git, never copied from a cluster: use k8s-objects.",
    "helmchart": "Use the type helm.",
    "cloneset": "Use webservice or worker: OpenKruise workloads are written with k8s-objects.",
    "config-image-registry": "Write the Secret with k8s-objects.",
    "addon": "Add-ons extend KubeVela itself: write their objects with k8s-objects or helm.",
}

__all__ = ["COMPONENTS", "REFUSED"]
