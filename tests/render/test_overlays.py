# ruff: noqa: E501  (YAML in one line reads better than cut)
from __future__ import annotations

import pytest

from controller.model import Invalid, Stalled

from .requests import bodies, rendered

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v, on: 'x'}\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
WEB = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template:\n    spec:\n"
    "      containers:\n      - {name: web, image: 'nginx:1', envFrom: [{configMapRef: {name: settings}}]}\n"
)


def data_of(files: dict[str, str], overlays: dict[str, str] | None = None) -> dict[str, str]:
    found = bodies(rendered(files, overlays))
    return next(one["data"] for one in found if one["kind"] == "ConfigMap")  # type: ignore[no-any-return]


def test_a_kustomization_is_built() -> None:
    files = {"deploy/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: p-\n", "deploy/a.yaml": CONFIG}
    found = rendered(files, namespace="shop")
    assert [str(one.key) for one in found.desired.manifests] == ["ConfigMap shop/p-a"]
    assert str(found.desired.manifests[0].origin) == "deploy/a.yaml:1"


def test_overlays_of_environment_application_and_target_follow_in_this_order() -> None:
    patch = "patches: [{patch: 'apiVersion: v1\n\n  kind: ConfigMap\n\n  metadata: {name: a}\n\n  data: {k: VALUE}'}]\n"
    overlays = {
        f"overlays/{path}/kustomization.yaml": COMPONENT + patch.replace("VALUE", value)
        for path, value in (("prod", "wide"), ("prod/shop", "narrow"))
    }
    assert data_of({"deploy/a.yaml": CONFIG}, overlays)["k"] == "narrow"
    overlays["overlays/prod/shop/hangzhou/kustomization.yaml"] = COMPONENT + patch.replace("VALUE", "target")
    assert data_of({"deploy/a.yaml": CONFIG}, overlays)["k"] == "target"
    overlays["overlays/dev/kustomization.yaml"] = COMPONENT + patch.replace("VALUE", "elsewhere")
    assert data_of({"deploy/a.yaml": CONFIG}, overlays)["k"] == "target"


def test_names_and_hashes_are_fixed_once_over_base_and_overlays() -> None:
    files = {"deploy/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [a=1]}]\n",
             "deploy/web.yaml": WEB}  # fmt: skip
    overlay = COMPONENT + "configMapGenerator: [{name: settings, behavior: merge, literals: [b=2]}]\nnamePrefix: p-\n"
    found = bodies(rendered(files, {"overlays/prod/shop/kustomization.yaml": overlay}))
    config = next(one for one in found if one["kind"] == "ConfigMap")
    web = next(one for one in found if one["kind"] == "Deployment")
    assert config["data"] == {"a": "1", "b": "2"}
    assert config["metadata"]["name"].startswith("p-settings-")
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"][0]["configMapRef"]["name"] == config["metadata"]["name"]


def test_a_plain_base_keeps_kubernetes_dialect_until_an_overlay_touches_it() -> None:
    text = "apiVersion: x.io/v1\nkind: X\nmetadata: {name: a}\nspec: {v: on}\n"
    overlay = {"overlays/prod/kustomization.yaml": COMPONENT + "commonAnnotations: {a: b}\n"}
    assert bodies(rendered({"deploy/a.yaml": text}))[0]["spec"] == {"v": True}
    assert bodies(rendered({"deploy/a.yaml": text}, overlay))[0]["spec"] == {"v": "on"}


def test_a_kustomization_inside_a_plain_tree_is_built_where_it_stands() -> None:
    files = {
        "deploy/a.yaml": CONFIG,
        "deploy/sub/kustomization.yaml": "resources: [b.yaml]\nnameSuffix: -s\n",
        "deploy/sub/b.yaml": CONFIG.replace("name: a", "name: b"),
    }
    assert [one.key.name for one in rendered(files).desired.manifests] == ["a", "b-s"]


def test_an_overlay_must_be_a_component() -> None:
    overlay = {"overlays/prod/kustomization.yaml": "commonAnnotations: {a: b}\n"}
    with pytest.raises(Stalled, match="a Kustomization, where components wants a Component"):
        rendered({"deploy/a.yaml": CONFIG}, overlay)


def test_a_patch_that_matches_nothing_is_a_warning() -> None:
    overlay = COMPONENT + "patches: [{target: {kind: Service}, patch: '[{op: remove, path: /spec}]'}]\n"
    found = rendered(
        {"deploy/a.yaml": CONFIG},
        {
            "overlays/prod/kustomization.yaml": overlay.replace(
                "'[{op: remove, path: /spec}]'", "'- {op: remove, path: /spec}'"
            )
        },
    )
    assert "overlays/prod/kustomization.yaml:3: the patch: its target matches nothing" in str(found.warnings[0])


def test_parameters_go_into_files_of_kustomizations_that_opt_in() -> None:
    files = {
        "deploy/kustomization.yaml": "# converge: parameters\nresources: [a.yaml]\nconfigMapGenerator: [{name: g, files: [t.txt], literals: ['n=${N}']}]\n",
        "deploy/a.yaml": "# converge: parameters\napiVersion: x.io/v1\nkind: X\nmetadata: {name: a}\nspec:\n  n: '${N}'\n  m: ${N}\n",
        "deploy/t.txt": "# converge: parameters\nvalue ${N}\n",
    }
    found = bodies(rendered(files, parameters={"N": 3}))
    assert next(one for one in found if one["kind"] == "X")["spec"] == {"n": "3", "m": 3}
    assert next(one for one in found if one["kind"] == "ConfigMap")["data"] == {"n": "3", "t.txt": "value 3\n"}


def test_everything_a_kustomization_read_and_missed_is_named() -> None:
    files = {
        "deploy/kustomization.yaml": "resources: [../base]\nconfigMapGenerator: [{name: g, files: [t.txt]}]\n",
        "deploy/t.txt": "x",
        "base/kustomization.yml": "resources: [a.yaml]\n",
        "base/a.yaml": CONFIG,
        "base/unused.yaml": CONFIG,
    }
    read = {one.path: bool(one.digest) for one in rendered(files).reads if one.repository == "shop"}
    assert {path for path, found in read.items() if found} == {
        "deploy/kustomization.yaml", "deploy/t.txt", "base/kustomization.yml", "base/a.yaml",
    }  # fmt: skip
    assert read["base/kustomization.yaml"] is False


@pytest.mark.parametrize(
    ("kustomization", "says"),
    [
        ("resources: [../../outside]\n", "leaves the repository"),
        ("resources: [/etc]\n", "absolute path"),
        ("resources: [..]\n", "a cycle"),
        ("resources: [.]\n", "a cycle"),
        ("resources: ['https://example.com/x.yaml']\n", "remote"),
        ("resources: ['git@example.com:a/b.git']\n", "remote"),
        ("resources: ['github.com/a/b?ref=--upload-pack=x']\n", "remote"),
        ("resources: [missing.yaml]\n", "there is no such file or directory"),
        ("configMapGenerator: [{name: a, files: [../other/secret]}]\n", "outside of deploy"),
        ("configMapGenerator: [{name: a, envs: [/etc/passwd]}]\n", "absolute path"),
        ("patches: [{path: ../../x.yaml}]\n", "leaves the repository"),
        ("generators: ['{apiVersion: x/v1, kind: Exec, metadata: {name: a}}']\n", "would run a program"),
        ("transformers: ['{apiVersion: x/v1, kind: Fn, metadata: {name: a}}']\n", "would run a program"),
        ("helmCharts: [{name: a}]\n", "Helm"),
        ("resourcs: [a.yaml]\n", "there is no such field"),
        ("kind: Other\nresources: [a.yaml]\n", "Kustomization or Component is wanted"),
        ("# nothing\n", "empty"),
        ("namePrefix: [a]\n", "namePrefix: a list, where text is wanted"),
    ],
)
def test_what_kustomize_refuses_or_could_do_harm_is_refused_with_its_file(kustomization: str, says: str) -> None:
    files = {"deploy/kustomization.yaml": kustomization, "other/secret": "SECRET", "deploy/a.yaml": CONFIG}
    with pytest.raises(Stalled) as caught:
        rendered(files)
    assert says in str(caught.value)
    assert str(caught.value).startswith("deploy/kustomization.yaml")
    assert "SECRET" not in str(caught.value)


def test_two_objects_of_one_identity_are_named_with_both_places() -> None:
    files = {
        "deploy/kustomization.yaml": "resources: [a.yaml, b.yaml]\n",
        "deploy/a.yaml": CONFIG,
        "deploy/b.yaml": f"\n{CONFIG}",
    }
    with pytest.raises(Invalid) as caught:
        rendered(files)
    assert "deploy/b.yaml:2" in str(caught.value)
    assert "deploy/a.yaml:1" in str(caught.value)


def test_an_object_that_loses_its_type_on_the_way_is_refused_with_its_file() -> None:
    patch = "patches: [{target: {kind: Thing}, patch: '- {op: remove, path: /apiVersion}'}]\n"
    files = {
        "deploy/kustomization.yaml": f"resources: [a.yaml]\n{patch}",
        "deploy/a.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n",
    }
    with pytest.raises(Invalid, match=r"deploy/a.yaml:1: apiVersion: not set"):
        rendered(files)
