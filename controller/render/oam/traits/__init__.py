"""Traits, by the names that Applications use: a file each (or each family), as KubeVela 1.11 defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.render.oam.definition import TraitDefinition
from controller.render.oam.kustomizing import PATCH_TRAITS
from controller.render.oam.traits.affinity import AFFINITY, NODE_AFFINITY
from controller.render.oam.traits.autoscaling import CPUSCALER, HPA
from controller.render.oam.traits.command import COMMAND
from controller.render.oam.traits.container_image import CONTAINER_IMAGE
from controller.render.oam.traits.container_ports import CONTAINER_PORTS
from controller.render.oam.traits.env import ENV
from controller.render.oam.traits.expose import EXPOSE
from controller.render.oam.traits.gateway import GATEWAY
from controller.render.oam.traits.hostalias import HOSTALIAS
from controller.render.oam.traits.ingress import INGRESS, INGRESS_1_20, PURE_INGRESS
from controller.render.oam.traits.init_container import INIT_CONTAINER
from controller.render.oam.traits.json_patches import JSON_MERGE_PATCH, JSON_PATCH
from controller.render.oam.traits.labels import ANNOTATIONS, LABELS
from controller.render.oam.traits.lifecycle import LIFECYCLE
from controller.render.oam.traits.resource import RESOURCE
from controller.render.oam.traits.scaler import SCALER
from controller.render.oam.traits.securitycontext import PODSECURITYCONTEXT, SECURITYCONTEXT
from controller.render.oam.traits.service_account import SERVICE_ACCOUNT
from controller.render.oam.traits.service_binding import SERVICE_BINDING
from controller.render.oam.traits.sidecar import SIDECAR
from controller.render.oam.traits.startup_probe import STARTUP_PROBE
from controller.render.oam.traits.storage import STORAGE
from controller.render.oam.traits.topology_spread import TOPOLOGY_SPREAD
from controller.render.oam.traits.update_strategy import UPDATE_STRATEGY
from controller.render.oam.traits.volumes import CONFIGMAP, VOLUMES

TRAITS: Final[Mapping[str, TraitDefinition]] = {
    "affinity": AFFINITY,
    "annotations": ANNOTATIONS,
    "command": COMMAND,
    "configmap": CONFIGMAP,
    "container-image": CONTAINER_IMAGE,
    "container-ports": CONTAINER_PORTS,
    "cpuscaler": CPUSCALER,
    "env": ENV,
    "expose": EXPOSE,
    "gateway": GATEWAY,
    "hostalias": HOSTALIAS,
    "hpa": HPA,
    "ingress": INGRESS,
    "ingress-1-20": INGRESS_1_20,
    "init-container": INIT_CONTAINER,
    "json-merge-patch": JSON_MERGE_PATCH,
    "json-patch": JSON_PATCH,
    "k8s-update-strategy": UPDATE_STRATEGY,
    "labels": LABELS,
    "lifecycle": LIFECYCLE,
    "node-affinity": NODE_AFFINITY,
    "podsecuritycontext": PODSECURITYCONTEXT,
    "pure-ingress": PURE_INGRESS,
    "resource": RESOURCE,
    "scaler": SCALER,
    "securitycontext": SECURITYCONTEXT,
    "service-account": SERVICE_ACCOUNT,
    "service-binding": SERVICE_BINDING,
    "sidecar": SIDECAR,
    "startup-probe": STARTUP_PROBE,
    "storage": STORAGE,
    "topologyspreadconstraints": TOPOLOGY_SPREAD,
    "volumes": VOLUMES,
}

# Traits that KubeVela has and we don't, and what to use instead.
REFUSED: Final[Mapping[str, str]] = {
    "rollout": "It needs KubeVela's own rollout controller: use k8s-update-strategy, or a Rollout in k8s-objects.",
    "kruise-rollout": "It needs OpenKruise: write its Rollout with k8s-objects, or use k8s-update-strategy.",
    "nocalhost": "It injects a development container: leave it out of what is deployed from git.",
    **dict.fromkeys(PATCH_TRAITS, "It is for a component of type kustomize: use json-patch or json-merge-patch."),
    "pvc": "Use the trait storage with pvc.",
    "import-grafana-dashboard": "Write the GrafanaDashboard with k8s-objects.",
    "register-grafana-datasource": "Write the Grafana data source with k8s-objects.",
    "share-cloud-resource": "Wire a terraform component's outputs instead.",
}

__all__ = ["REFUSED", "TRAITS"]
