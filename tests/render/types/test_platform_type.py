from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from controller.cli import main
from controller.documents import Dialect, read
from controller.model import Invalid, MemoryTree, RepositoryName
from controller.render.oam import RenderedApplication, render_application
from controller.render.types import definitions_of, read_types
from controller.runtime import DirectoryTree

EXAMPLES = Path(__file__).parents[3] / "examples" / "types"
NAMES = sorted(one.name for one in EXAMPLES.iterdir() if one.is_dir())

SCHEMA = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string"},
        "size": {"type": "object", "properties": {"memory": {"type": "string", "default": "1Gi"}}},
    },
}
OBJECT = """\
apiVersion: apps/v1
kind: Deployment
spec: {template: {spec: {containers: [{name: x, image: {$param: image}}]}}}
"""


def types_of(manifest: str = OBJECT, schema: Any = SCHEMA, **more: str) -> Any:
    files = {"types/box/schema.json": json.dumps(schema), "types/box/manifests/main.yaml": manifest, **more}
    return read_types(MemoryTree({name: text.encode() for name, text in files.items()}))


def rendered(types: Any, *traits: dict[str, Any], **properties: Any) -> RenderedApplication:
    component = {"name": "web", "type": next(iter(types)), "properties": properties, "traits": list(traits)}
    body = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {"components": [component]},
    }
    return render_application(body, types=definitions_of(types))


def refusal(*arguments: Any, **properties: Any) -> str:
    with pytest.raises(Invalid) as caught:
        rendered(*arguments, **properties)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_type_renders_from_ten_lines(name: str) -> None:
    text = (EXAMPLES / name / "example.yaml").read_bytes()
    assert len(text.splitlines()) <= 12
    types = read_types(DirectoryTree(EXAMPLES, RepositoryName("examples")), "")
    body = read(text, path=name, dialect=Dialect.KUBERNETES)[0].value
    found = render_application(body, types=definitions_of(types))
    assert found.warnings == ()
    assert "$" not in json.dumps(found.objects)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_schema_is_one_that_editors_understand(name: str) -> None:
    schema = json.loads((EXAMPLES / name / "schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert [key for key, one in schema["properties"].items() if "description" not in one] == []


def test_defaults_are_filled_in_at_every_depth() -> None:
    manifest = f"{OBJECT}metadata: {{annotations: {{memory: {{$param: size.memory}}}}}}\n"
    found = rendered(types_of(manifest), image="a", size={})
    assert found.objects[0]["metadata"]["annotations"] == {"memory": "1Gi"}


def test_traits_patch_the_object_with_pods_whatever_file_it_is_in() -> None:
    types = types_of(**{"types/box/manifests/a.yaml": "apiVersion: v1\nkind: ConfigMap\n"})
    found = rendered(types, {"type": "scaler", "properties": {"replicas": 3}}, image="a")
    kinds = {one["kind"]: one for one in found.objects}
    assert kinds["Deployment"]["spec"]["replicas"] == 3
    assert kinds["ConfigMap"]["metadata"]["labels"]["trait.oam.dev/resource"] == "a"


def test_a_document_whose_condition_fails_is_no_object() -> None:
    types = types_of(f"{OBJECT}---\n$if: size\napiVersion: v1\nkind: ConfigMap\n")
    assert [one["kind"] for one in rendered(types, image="a").objects] == ["Deployment"]
    assert [one["kind"] for one in rendered(types, image="a", size={}).objects] == ["Deployment", "ConfigMap"]


def test_a_wrong_parameter_is_told_with_the_nearest_name() -> None:
    message = refusal(types_of(), imge="a")
    assert "spec.components[0].properties" in message
    assert '"image"' in message


def test_a_type_of_the_platforms_comes_before_one_that_is_built_in() -> None:
    tree = {
        "types/worker/schema.json": json.dumps(SCHEMA),
        "types/worker/manifests/m.yaml": "apiVersion: v1\nkind: Pod\n",
    }
    types = read_types(MemoryTree({name: text.encode() for name, text in tree.items()}))
    assert rendered(types, image="a").objects[0]["kind"] == "Pod"


def test_a_mistake_in_a_manifest_is_told_with_its_line() -> None:
    message = refusal(types_of("apiVersion: v1\nkind: Pod\nspec:\n  image: {$param: imge}\n"), image="a")
    assert 'types/box/manifests/main.yaml:4: spec.image["$param"]: there is no parameter "imge"' in message


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"types/box/manifests/a.yaml": "a: b"}, "the type has no schema"),
        ({"types/box/schema.json": '{"type": "object"}'}, "the type has no objects"),
        ({"types/box/schema.json": '{"type": "string"}'}, "no schema of a mapping"),
        ({"types/box/schema.json": '{"type": "object", "dependentSchemas": {}}'}, "dependentSchemas"),
    ],
)
def test_a_type_that_is_not_complete_is_refused(files: dict[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_types(MemoryTree({name: text.encode() for name, text in files.items()}))


def test_a_type_that_makes_no_object_is_refused() -> None:
    assert "without apiVersion and kind" in refusal(types_of("spec: {image: {$param: image}}"), image="a")
    assert "makes no object" in refusal(types_of("$if: size\nkind: Pod\n"), image="a")


def test_the_command_takes_a_directory_of_types() -> None:
    file = EXAMPLES / "redis" / "example.yaml"
    done = CliRunner().invoke(main, ["oam", "render", str(file), "--types", str(EXAMPLES)])
    assert done.exit_code == 0
    assert "kind: StatefulSet" in done.stdout
