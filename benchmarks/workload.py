"""What is delivered: N applications of four objects each, in one repository, run in one environment.

Each application is a ServiceAccount, a ConfigMap (a twelve-line file and three small keys), a Service with two ports
and a Deployment of no replicas (ports, command, environment, two probes, resources, a security context): 3 kB of YAML
in five files, spread over twenty namespaces. The same objects as JSON are the floor's.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import yaml

Object = dict[str, Any]
NAMESPACES = 20
PLURALS = {"ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Service": "services"}
KINDS_PER_APPLICATION = 4


@dataclass(frozen=True, slots=True)
class Workload:
    """The fleet of one run: names of its own, so that runs do not meet on the control plane."""

    applications: int
    prefix: str = field(default_factory=lambda: f"b{uuid.uuid4().hex[:8]}")

    @property
    def objects(self) -> int:
        return self.applications * KINDS_PER_APPLICATION

    @property
    def namespaces(self) -> list[str]:
        return [f"{self.prefix}-{number:02}" for number in range(min(NAMESPACES, self.applications))]

    def names(self) -> list[str]:
        return [f"app-{number:04}" for number in range(self.applications)]

    def namespace(self, name: str) -> str:
        namespaces = self.namespaces
        return namespaces[int(name.rpartition("-")[2]) % len(namespaces)]

    def files(self, tag: str) -> dict[str, str]:
        """Give the application repository with every image at `tag`."""
        found = {}
        for name in self.names():
            for file, text in application_files(name, self.namespace(name), tag).items():
                found[f"apps/{name}/{file}"] = text
        return found

    def lines(self, tag: str) -> str:
        """Give the objects as the bare client reads them: path, tab, JSON."""
        return "".join(
            f"{path_of(one)}\t{json.dumps(one)}\n"
            for name in self.names()
            for one in objects(name, self.namespace(name), tag)
        )


def application_files(name: str, namespace: str, tag: str) -> dict[str, str]:
    parts = {f"{one['kind'].lower()}.yaml": one for one in objects(name, namespace, tag)}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(parts),
    }  # fmt: skip
    return {file: written(one) for file, one in (parts | {"kustomization.yaml": kustomization}).items()}


def written(value: Object) -> str:
    """Write YAML by libyaml, a tenth of the time: ten thousand applications are fifty thousand files."""
    return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False)


def path_of(one: Object) -> str:
    metadata = one["metadata"]
    place = f"namespaces/{metadata['namespace']}"
    if one["kind"] == "Deployment":
        return f"/apis/apps/v1/{place}/deployments/{metadata['name']}"
    return f"/api/v1/{place}/{PLURALS[one['kind']]}/{metadata['name']}"


def objects(name: str, namespace: str, tag: str) -> list[Object]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "benchmark"}

    def meta(suffix: str = "") -> Object:
        return {"name": f"{name}{suffix}", "namespace": namespace, "labels": labels}

    properties = "".join(f"setting.{number:02}.of.{name}=a value that somebody chose\n" for number in range(12))
    config = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("-config"),
        "data": {"app.properties": properties, "LOG_LEVEL": "info", "CACHE_SECONDS": "300", "REGION": "cn-east"},
    }  # fmt: skip
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": meta(),
        "spec": {
            "type": "ClusterIP", "selector": {"app.kubernetes.io/name": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"},
                      {"name": "metrics", "port": 9090, "targetPort": "metrics"}],
        },
    }  # fmt: skip
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta()}
    return [account, config, service, deployment(name, meta(), tag)]


def deployment(name: str, metadata: Object, tag: str) -> Object:
    def probe(path: str) -> Object:
        return {"httpGet": {"path": path, "port": "http"}, "initialDelaySeconds": 5, "periodSeconds": 10}

    container = {
        "name": "web", "image": f"registry.example.com/team/{name}:{tag}",
        "command": ["/bin/server"], "args": ["--listen=:8080", "--metrics=:9090"],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
        "env": [{"name": "NAME", "value": name},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "envFrom": [{"configMapRef": {"name": f"{name}-config"}}],
        "livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True},
    }  # fmt: skip
    selector = {"app.kubernetes.io/name": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {
            "replicas": 0, "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": selector},
                "spec": {"serviceAccountName": name, "containers": [container]},
            },
        },
    }  # fmt: skip
