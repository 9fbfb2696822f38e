"""Components that other renderers make: charts, kustomizations and Terraform modules, as values for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.model import FieldPath
from controller.render.oam.application import Component
from controller.render.oam.kustomizing import OWN_PATCHES, PATCH_TRAITS, Patch, patches_of
from controller.render.oam.reporting import Report
from controller.render.oam.schema import TEXT, TEXTS, AnyMapping, Fields, OneOf, Text, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmReference:
    """A chart: by name from a chart repository or an OCI registry, or by path from a git repository."""

    component: str
    source: str  # helm | oci | git | oss
    url: str
    chart: str
    version: str
    release: str
    namespace: str  # "" for the component's own
    values: Mapping[str, Any] = field(default_factory=dict)
    values_files: tuple[str, ...] = ()
    wave: int = field(default=0, compare=False)
    at: FieldPath = field(default=(), compare=False)  # of the component in its Application

    def __str__(self) -> str:
        version = f" {self.version}" if self.version not in {"", "*"} else ""
        return f"component {self.component}: chart {self.chart}{version} of {self.url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizeReference:
    """A kustomization in a git repository."""

    component: str
    url: str
    branch: str
    path: str
    namespace: str
    patches: tuple[Patch, ...] = ()
    wave: int = field(default=0, compare=False)
    at: FieldPath = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"component {self.component}: kustomization {self.path} of {self.url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformReference:
    """A Terraform module: a git address, or configuration written in place (`hcl`)."""

    component: str
    source: str
    path: str
    hcl: str
    variables: Mapping[str, Any]
    output_secret: str = ""  # name of the Secret that takes the outputs, "" for none
    output_namespace: str = ""
    wave: int = field(default=0, compare=False)
    at: FieldPath = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"component {self.component}: Terraform module {self.source or 'written in place'}"


Reference = HelmReference | KustomizeReference | TerraformReference

_HELM: Final = fields(
    {
        "repoType": OneOf(("helm", "oci", "git", "oss"), default="helm"),
        "url": TEXT,
        "chart": TEXT,
        "version": Text("*"),
        "targetNamespace": Text(""),
        "releaseName": Text(""),
        "values": AnyMapping(),
        "valuesFiles": TEXTS,
    }
)
_KUSTOMIZE: Final = fields(
    {
        "repoType": OneOf(("git", "oss", "helm"), default="git"),
        "url": TEXT,
        "path": TEXT,
        "git": fields({"branch": Text("")}),
        "targetNamespace": Text(""),
        **OWN_PATCHES,
    }
)
_TERRAFORM: Final = fields(
    {
        "source": Text(""),
        "path": Text(""),
        "hcl": Text(""),
        "variables": AnyMapping(),
        "writeConnectionSecretToRef?": fields({"name": TEXT, "namespace": Text("")}),
    }
)
TERRAFORM: Final = "terraform"
REFERENCE_TYPES: Final[Mapping[str, Fields]] = {"helm": _HELM, "kustomize": _KUSTOMIZE, TERRAFORM: _TERRAFORM}


def reference_of(component: Component, report: Report) -> Reference:
    """Read a component of a type that another renderer makes."""
    path = (*component.path, "properties")
    spec = REFERENCE_TYPES[component.type].check(component.properties, path, report)
    for number, one in enumerate(component.traits):
        is_patch = component.type == "kustomize" and one.type in PATCH_TRAITS
        if one.type not in {"labels", "annotations"} and not is_patch:
            here = (*component.path, "traits", number, "type")
            what = f"the trait {one.type} changes nothing of a {component.type} component"
            report.wrong(here, what, "Patch what it renders in an overlay.")
    match component.type:
        case "helm":
            return HelmReference(
                component=component.name,
                at=component.path,
                source=spec["repoType"],
                url=spec["url"] or "",
                chart=spec["chart"] or "",
                version=spec["version"],
                release=spec["releaseName"] or component.name,
                namespace=spec["targetNamespace"],
                values=spec["values"],
                values_files=tuple(spec["valuesFiles"]),
            )
        case "kustomize":
            return KustomizeReference(
                component=component.name,
                at=component.path,
                url=spec["url"] or "",
                branch=spec["git"]["branch"],
                path=spec["path"] or "",
                namespace=spec["targetNamespace"],
                patches=patches_of(component, spec, report),
            )
        case _:
            if not spec["source"] and not spec["hcl"]:
                report.wrong(path, "neither source nor hcl is set", "Say where the module lies.")
            secret = spec.get("writeConnectionSecretToRef", {})
            return TerraformReference(
                component=component.name,
                at=component.path,
                source=spec["source"],
                path=spec["path"],
                hcl=spec["hcl"],
                variables=spec["variables"],
                output_secret=secret.get("name", ""),
                output_namespace=secret.get("namespace", ""),
            )
