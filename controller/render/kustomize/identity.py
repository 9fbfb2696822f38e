"""What a resource is called: group, version, kind, name and namespace (kyaml/resid at v0.18.1)."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

NOT_A_NAMESPACE: Final = "_non_namespaceable_"
DEFAULT: Final = "default"


class Gvk(NamedTuple):
    """Group, version and kind. As a selector, an empty part matches anything."""

    group: str = ""
    version: str = ""
    kind: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def is_selected(self, selector: Gvk) -> bool:
        return (
            (not selector.group or self.group == selector.group)
            and (not selector.version or self.version == selector.version)
            and (not selector.kind or self.kind == selector.kind)
        )

    def __str__(self) -> str:
        return f"{self.kind or '[noKind]'}.{self.version or '[noVer]'}.{self.group or '[noGrp]'}"


class ResId(NamedTuple):
    """One resource. `is_cluster_scoped` holds for ids of resources as they are now; previous ids never have it."""

    gvk: Gvk = Gvk()
    name: str = ""
    namespace: str = ""
    is_cluster_scoped: bool = False

    @property
    def effective_namespace(self) -> str:
        if self.is_cluster_scoped:
            return NOT_A_NAMESPACE
        return self.namespace or DEFAULT

    @property
    def key(self) -> tuple[Gvk, str, str]:
        """What must be equal for two ids to be: the namespace counts as `default` where there is none."""
        return (self.gvk, self.name, self.effective_namespace)

    def is_selected_by(self, selector: ResId) -> bool:
        return (
            (not selector.name or selector.name == self.name)
            and (not selector.namespace or selector.effective_namespace == self.effective_namespace)
            and self.gvk.is_selected(selector.gvk)
        )

    def __str__(self) -> str:
        return f"{self.gvk}/{self.name or '[noName]'}.{self.namespace or '[noNs]'}"


@lru_cache(maxsize=4096)
def gvk_of(api_version: str, kind: str) -> Gvk:
    group, slash, version = api_version.partition("/")
    return Gvk(group, version, kind) if slash else Gvk("", api_version, kind)


@lru_cache(maxsize=4096)
def is_cluster_scoped(api_version: str, kind: str) -> bool:
    return (api_version, kind) in cluster_scoped_kinds()


@cache
def cluster_scoped_kinds() -> frozenset[tuple[str, str]]:
    """Name the kinds of Kubernetes 1.21 without a namespace, by apiVersion: all that kustomize 5.5 knows of."""
    return _kinds("cluster")


@cache
def known_kinds() -> frozenset[tuple[str, str]]:
    """Name the kinds of Kubernetes 1.21, by apiVersion."""
    return _kinds("cluster") | _kinds("namespaced")


def _kinds(scope: str) -> frozenset[tuple[str, str]]:
    data = json.loads(resources.files("controller.render").joinpath("data/kinds_1_21.json").read_bytes())
    return frozenset((api_version, kind) for api_version, kinds in data[scope].items() for kind in kinds)
