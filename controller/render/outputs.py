"""What the Terraform components of an OAM Application give out, for its other components and for a Secret of its own.

Which outputs there are stands in git, so that a name that is not there is told at once; what they are is asked of the
application's terraform target.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from controller.model import EntryKind, FieldPath, JsonValue, TargetName
from controller.render.applications import Around
from controller.render.oam import Component, TerraformReference
from controller.render.oam.references import reference_of
from controller.render.oam.reporting import Report
from controller.render.plain import joined
from controller.render.request import Draft
from controller.render.taking import text_of


@dataclass(frozen=True, slots=True)
class ModuleOutputs:
    """What an Application's Terraform components give out (`oam.Modules`)."""

    draft: Draft
    around: Around

    def outputs(self, component: Component) -> Collection[str]:
        report = Report(self.around.position(self.draft))
        reference = reference_of(component, report)
        report.settle()
        assert isinstance(reference, TerraformReference)  # noqa: S101  its type says so
        return _outputs(reference, self.draft, self.around, report)

    def value(self, component: Component, output: str) -> JsonValue:
        return self.around.taking.value(_target(component.path, self.draft, self.around), output)


def secret_of_outputs(module: TerraformReference, draft: Draft, around: Around) -> list[Draft]:
    """Give the Secret that takes all outputs in, where the component names one (`writeConnectionSecretToRef`)."""
    if not module.output_secret:
        return []
    target = _target(module.at, draft, around)
    names = _outputs(module, draft, around, Report(around.position(draft)))
    home = module.output_namespace or (draft.value.get("metadata") or {}).get("namespace", "")
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": module.output_secret, **({"namespace": home} if home else {})},
        "type": "Opaque",
        "stringData": {name: text_of(around.taking.value(target, name)) for name in sorted(names)},
    }
    return [Draft(value=body, origin=draft.origin)]


def _target(at: FieldPath, draft: Draft, around: Around) -> TargetName:
    """Find the one target that runs an application's module. Raises Invalid."""
    request = around.request
    places = request.surroundings.places.get(request.placement.environment, {})
    found = [one for one in request.targets if one in places and not places[one].is_cluster]
    if len(found) != 1:
        report = Report(around.position(draft))
        what = f"its outputs are those of one terraform target, and the application has {len(found) or 'none'}"
        report.fail(at, what, "Give the application's entry one terraform target.")
    return found[0]


def _outputs(module: TerraformReference, draft: Draft, around: Around, report: Report) -> frozenset[str]:
    """Name what a module declares as outputs; overlays override them, and add none. Raises Invalid."""
    from controller.render.terraform.components import found_of  # noqa: PLC0415  few Applications have any
    from controller.render.terraform.reading import is_source, outputs_in  # noqa: PLC0415

    tree = around.application
    found = found_of(module, draft.origin.path, tree, around.request, report)
    report.settle()
    assert found is not None  # noqa: S101  the report would have told
    names: set[str] = set()
    for path, data in found.files.items():
        names |= outputs_in(data, path)
    for name in tree.names(found.folder) if not found.files else ():
        path = joined(found.folder, name)
        if is_source(name) and tree.kind(path) is EntryKind.FILE:
            names |= outputs_in(tree.read(path), path)
    return frozenset(names)
