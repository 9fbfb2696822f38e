from __future__ import annotations

import pickle

import pytest

from controller.model import Invalid, ObjectKey, Stalled
from controller.render import Read, render

from .requests import bodies, rendered, request_of

RBAC = "apiVersion: rbac.authorization.k8s.io/v1\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"


def refusal(files: dict[str, str]) -> str:
    with pytest.raises(Invalid) as caught:
        rendered(files)
    return str(caught.value)


def test_every_manifest_below_the_path_is_rendered_with_its_origin() -> None:
    found = rendered({
        "deploy/a.yaml": f"# first\n{CONFIG}---\n{CONFIG.replace('a}', 'b}')}",
        "deploy/sub/c.json": '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}',
        "deploy/README.md": "no manifest",
        "deploy/.hidden.yaml": "nonsense: [",
        "other/d.yaml": CONFIG,
    })  # fmt: skip
    shown = [(str(one.key), str(one.origin)) for one in found.desired.manifests]
    assert shown == [
        ("ConfigMap default/a", "deploy/a.yaml:2"),
        ("ConfigMap default/b", "deploy/a.yaml:7"),
        ("Namespace c", "deploy/sub/c.json:1"),
    ]
    assert found.desired.manifests[0].origin.commit == "a" * 40


def test_the_namespace_fills_and_never_overrides() -> None:
    files = {
        "deploy/a.yaml": CONFIG,
        "deploy/b.yaml": CONFIG.replace("name: a", "name: b, namespace: own"),
        "deploy/c.yaml": f"{RBAC}kind: ClusterRole\nmetadata: {{name: c, namespace: x}}\n",
    }
    found = rendered(files, namespace="shop")
    assert [one.key.namespace for one in found.desired.manifests] == ["shop", "own", ""]
    assert "deploy/c.yaml:1: ClusterRole has no namespace" in str(found.warnings[0])


def test_a_custom_kind_has_a_namespace_unless_a_crd_or_the_request_says_otherwise() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: wides.x.io}\n"
        "spec: {group: x.io, scope: Cluster, names: {kind: Wide}}\n"
    )
    kinds = "".join(
        f"---\n{{apiVersion: x.io/v1, kind: {kind}, metadata: {{name: a}}}}\n" for kind in ("Wide", "Told", "Other")
    )
    found = rendered({"deploy/a.yaml": crd + kinds}, namespace="shop", cluster_scoped=frozenset({"Told.x.io"}))
    assert [one.key.namespace for one in found.desired.manifests] == ["", "", "", "shop"]


def test_a_list_is_its_items() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
    found = rendered({"deploy/a.yaml": text})
    assert [str(one.origin) for one in found.desired.manifests] == ["deploy/a.yaml:4"]


def test_what_a_server_writes_itself_is_stripped() -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\n"
        "metadata: {name: a, uid: x, creationTimestamp: null, generation: 1, annotations: {}}\n"
        "spec: {paused: null, template: {spec: {securityContext: {}}}}\nstatus: {replicas: 1}\n"
    )
    assert bodies(rendered({"deploy/a.yaml": text})) == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a", "namespace": "default"},
            "spec": {"template": {"spec": {"securityContext": {}}}},
        }
    ]


def test_a_custom_kind_keeps_its_nulls() -> None:
    text = "{apiVersion: x.io/v1, kind: X, metadata: {name: a}, spec: {a: null}}"
    assert bodies(rendered({"deploy/a.yaml": text}))[0]["spec"] == {"a": None}


def test_string_data_is_folded_into_data() -> None:
    text = "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {a: YQ==, b: YQ==}, stringData: {b: bb, c: ''}}"
    assert bodies(rendered({"deploy/a.yaml": text}))[0]["data"] == {"a": "YQ==", "b": "YmI=", "c": ""}


def test_converges_own_files_and_kustomizations_are_no_manifests() -> None:
    own = "{apiVersion: converge/v1, kind: Application, metadata: {name: a}}"
    assert rendered({"deploy/converge.yaml": own}).desired.manifests == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\nkind: ConfigMap\n", "deploy/a.yaml:2: apiVersion: not set"),
        ("image: x\n", "deploy/a.yaml:1: apiVersion and kind: not set"),
        ("- a\n", "deploy/a.yaml:1: the document is no mapping"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n", "deploy/a.yaml:4: metadata.generateName"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", "metadata.name: not set"),
        (f"{CONFIG}---\n{CONFIG}", "deploy/a.yaml:6: ConfigMap default/a is there already, at deploy/a.yaml:1"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  on: true\n",
            "data.true: not text but a boolean",
        ),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: '%%'}\n", "data.a: not base64"),
        ("a: 1\na: 2\n", "deploy/a.yaml:2"),
    ],
)
def test_what_no_cluster_takes_is_refused_with_file_and_line(text: str, says: str) -> None:
    assert says in refusal({"deploy/a.yaml": text})


def test_duplicate_merge_keys_are_refused_with_both_places() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: web\n    env:\n"
        "    - {name: A, value: '1'}\n    - {name: B, value: '1'}\n    - {name: A, value: '2'}\n"
        "    ports:\n    - {containerPort: 53, protocol: UDP}\n    - {containerPort: 53}\n"
    )
    said = refusal({"deploy/a.yaml": text})
    assert "deploy/a.yaml:10: spec.containers.0.env: two elements with name A; the other is at deploy/a.yaml:8" in said
    assert "containerPort" not in said


def test_every_problem_is_told_at_once() -> None:
    said = refusal({"deploy/a.yaml": "kind: A\n", "deploy/b.yaml": "apiVersion: v1\n", "deploy/c.yaml": "[\n"})
    assert [line.split(":")[0] for line in said.splitlines()] == ["deploy/a.yaml", "deploy/b.yaml", "deploy/c.yaml"]


def test_a_missing_path_is_stalled() -> None:
    with pytest.raises(Stalled, match="there is no such path"):
        rendered({"a.yaml": CONFIG})


def test_an_empty_directory_renders_nothing() -> None:
    assert rendered({"deploy/README.md": ""}).desired.manifests == ()


def test_what_was_read_and_what_was_missed_is_named() -> None:
    found = rendered({"deploy/a.yaml": CONFIG})
    read = {(one.repository, one.path): bool(one.digest) for one in found.reads}
    assert read["shop", "deploy/a.yaml"] is True
    assert read["shop", "deploy/kustomization.yaml"] is False
    assert read["platform", "overlays/prod/shop/hangzhou/Kustomization"] is False
    assert all(isinstance(one, Read) for one in found.reads)


def test_inputs_move_with_what_is_read_and_with_nothing_else() -> None:
    files = {"deploy/a.yaml": CONFIG}
    one = rendered(files).desired
    assert one.inputs == rendered({**files, "other.yaml": CONFIG}).desired.inputs
    changed = rendered({"deploy/a.yaml": f"# comment\n{CONFIG}"}).desired
    assert (one.inputs != changed.inputs, one.digest == changed.digest) == (True, True)
    assert one.inputs != rendered(files, namespace="x").desired.inputs


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    other = CONFIG.replace("name: a", "name: b")
    assert (
        rendered({"deploy/a.yaml": CONFIG, "deploy/b.yaml": other}).desired.digest
        == rendered({"deploy/a.yaml": other, "deploy/b.yaml": CONFIG}).desired.digest
    )


def test_a_request_and_its_result_cross_to_another_process() -> None:
    request = pickle.loads(pickle.dumps(request_of({"deploy/a.yaml": CONFIG})))
    found = pickle.loads(pickle.dumps(render(request)))
    assert found.desired.manifests[0].key == ObjectKey("", "ConfigMap", "default", "a")
