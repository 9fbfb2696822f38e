"""Charts are templated by the real helm, and end as the same Manifests as any other base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.engine.preparing import Workshop
from controller.engine.templating import Helm
from controller.model import (
    PLATFORM,
    Capabilities,
    ChartOptions,
    CommitId,
    Invalid,
    ObjectKey,
    Origin,
    parse_path,
)
from controller.render import ChartTemplate, Setting, explain
from controller.targets.hooks import Phase, phase_of
from tests.render.requests import request_of

from .charts import CHART, CONFIG, FILES, bodies, rendered

pytestmark = pytest.mark.helm


async def test_a_chart_renders_with_its_template_as_origin(helm: Path) -> None:
    result = await rendered(helm, request_of(FILES, namespace="x"))
    (one,) = result.desired.manifests
    assert (str(one.key.namespace), one.key.name) == ("x", "shop-web")
    assert str(one.origin) == "deploy/templates/deployment.yaml:3"


async def test_values_go_over_each_other_from_wide_to_narrow(helm: Path) -> None:
    files = FILES | {"deploy/values-big.yaml": "replicas: 2\nimage: {tag: '2'}\n"}
    overlays = {
        "overlays/prod/values.yaml": "replicas: 3\n",
        "overlays/prod/shop/values.yaml": "# converge: parameters\nreplicas: 4\nimage: {tag: '${TAG}'}\n",
    }

    async def seen(overlays: Mapping[str, str], **chart: Any) -> tuple[int, str]:
        (one,) = await bodies(helm, files, overlays, parameters={"TAG": "3"}, chart=ChartOptions(**chart))
        return one["spec"]["replicas"], one["spec"]["template"]["spec"]["containers"][0]["image"]

    assert await seen({}) == (1, "example.com/web:1")
    assert await seen({}, values_files=("values-big.yaml",)) == (2, "example.com/web:2")
    assert await seen(overlays, values_files=("values-big.yaml",)) == (4, "example.com/web:3")
    assert await seen(overlays, values={"replicas": 5}) == (5, "example.com/web:3")


async def test_parameters_that_the_chart_declares_are_values(helm: Path) -> None:
    files = FILES | {"deploy/templates/map.yaml": CONFIG.format(value="{{ .Values.REGION }}")}
    found = await bodies(helm, files, parameters={"REGION": "east", "OTHER": 1})
    assert found[0]["data"]["value"] == "east"


COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"


async def test_overlay_components_edit_what_a_chart_renders_to(helm: Path) -> None:
    component = COMPONENT + "images: [{name: example.com/web, newTag: '9'}]\n"
    result = await rendered(
        helm, request_of(FILES, {"overlays/prod/shop/kustomization.yaml": component}, namespace="x")
    )
    (one,) = result.desired.manifests
    assert json.loads(one.body)["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/web:9"
    assert str(one.origin) == "deploy/templates/deployment.yaml:3"


async def test_words_that_yaml_dialects_read_differently_stay_as_helm_means_them(helm: Path) -> None:
    files = FILES | {"deploy/templates/map.yaml": CONFIG.format(value='"on"')}
    component = COMPONENT + "namePrefix: p-\n"
    for overlays in ({}, {"overlays/prod/kustomization.yaml": component}):
        found = await bodies(helm, files, overlays)
        assert [one["data"]["value"] for one in found if one["kind"] == "ConfigMap"] == ["on"]


async def test_crds_are_there_and_tests_are_not(helm: Path) -> None:
    head = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    crd = head + "metadata: {name: as.example.com}\nspec: {}\n"
    pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n  annotations: {helm.sh/hook: test}\nspec: {}\n"
    hook = pod.replace("hook: test", "hook: pre-install").replace("name: t", "name: h")
    files = FILES | {
        "deploy/crds/a.yaml": crd + "---\n" + crd.replace("as.", "bs."),
        "deploy/templates/test.yaml": pod,
        "deploy/templates/hook.yaml": hook,
    }
    found = await bodies(helm, files)
    assert [one["metadata"]["name"] for one in found] == ["as.example.com", "bs.example.com", "shop-web", "h"]


async def test_lists_are_their_items(helm: Path) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"
    found = await bodies(helm, {"deploy/Chart.yaml": CHART, "deploy/templates/list.yaml": text})
    assert [one["metadata"]["name"] for one in found] == ["a"]


async def test_a_chart_asks_for_what_the_cluster_is(helm: Path) -> None:
    text = CONFIG.format(
        value='"{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has "a.io/v1/A" }}"'
    )
    files = {"deploy/Chart.yaml": CHART, "deploy/templates/map.yaml": text}
    (one,) = await bodies(helm, files, capabilities=Capabilities("v1.30.7", ("a.io/v1", "a.io/v1/A")))
    assert one["data"]["value"] == "v1.30.7 true"


async def test_the_release_is_named_as_its_entry_says(helm: Path) -> None:
    (one,) = await bodies(helm, FILES, chart=ChartOptions(release="old"))
    assert one["metadata"]["name"] == "old-web"
    with pytest.raises(Invalid, match="too long"):
        await bodies(helm, FILES, chart=ChartOptions(release="x" * 54))


BROKEN = {
    "a function that is not there": (
        {"deploy/templates/a.yaml": "\n\n{{ nothing }}\n"},
        "deploy/templates/a.yaml:3",
    ),
    "a value that is not there": (
        {"deploy/templates/a.yaml": "a: b\nc: {{ .Values.x.y.z }}\n"},
        "deploy/templates/a.yaml:2",
    ),
    "a demand of the chart": (
        {"deploy/templates/a.yaml": '\n{{ required "say who" .Values.who }}\n'},
        "deploy/templates/a.yaml:2",
    ),
    "a fault of a helper is the helper's": (
        {
            "deploy/templates/a.yaml": 'a: {{ include "broken" . }}\n',
            "deploy/templates/_b.tpl": '{{ define "broken" }}\n{{ .Values.x.y.z }}{{ end }}\n',
        },
        "deploy/templates/_b.tpl:2",
    ),
    "what is no YAML": ({"deploy/templates/a.yaml": "a: b: c\n"}, "deploy/templates/a.yaml"),
    "values that are no YAML": ({"deploy/values.yaml": "a: [\n"}, "deploy/"),
    "a dependency that is not there": (
        {"deploy/Chart.yaml": CHART + "dependencies:\n- {name: db, version: 1.0.0, repository: 'https://x.invalid'}\n"},
        "deploy/Chart.yaml:5",
    ),
    "values that a schema refuses": (
        {"deploy/values.schema.json": '{"properties": {"replicas": {"type": "string"}}}'},
        "deploy/Chart.yaml",
    ),
    "a cluster that is too old": ({"deploy/Chart.yaml": CHART + "kubeVersion: '>=9.0'\n"}, "deploy/Chart.yaml"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_chart_is_told_with_its_place(helm: Path, name: str) -> None:
    files, place = BROKEN[name]
    with pytest.raises(Invalid) as caught:
        await bodies(helm, FILES | files)
    text = str(caught.value)
    assert text.startswith(place)
    assert "/dev/shm" not in text
    assert "converge-" not in text


async def test_dependencies_are_taken_from_charts_and_from_beside_the_chart(helm: Path) -> None:
    values = "db: {size: 7}\nglobal: {who: me}\n"
    text = CONFIG.format(value='"{{ .Values.size }} {{ .Values.global.who }}"')
    dependency = "dependencies:\n- {name: db, version: 0.1.0, repository: 'file://../db'}\n"
    chart = "apiVersion: v2\nname: db\nversion: 0.1.0\n"
    files = {"deploy/Chart.yaml": CHART + dependency, "deploy/values.yaml": values}
    for home in ("db", "deploy/charts/db", "deploy/charts/other"):
        inside = {f"{home}/Chart.yaml": chart, f"{home}/templates/map.yaml": text}
        result = await rendered(helm, request_of(files | inside))
        (one,) = result.desired.manifests
        assert json.loads(one.body)["data"]["value"] == "7 me"
        if home != "deploy/charts/other":
            assert str(one.origin) == f"{home}/templates/map.yaml:2"


async def test_a_chart_that_comes_out_otherwise_every_time_is_refused_by_its_template(helm: Path) -> None:
    for text in ("{{ randAlphaNum 9 }}", "{{ uuidv4 }}", "{{ now | unixEpoch }}{{ randNumeric 9 }}"):
        files = FILES | {"deploy/templates/map.yaml": CONFIG.format(value=f"'{text}'")}
        with pytest.raises(Invalid) as caught:
            await bodies(helm, files)
        assert str(caught.value).startswith("deploy/templates/map.yaml:4: ")


async def test_a_fickle_function_that_is_not_reached_is_no_harm(helm: Path) -> None:
    files = FILES | {
        "deploy/templates/map.yaml": CONFIG.format(value="'{{ .Values.password | default (randAlpha 9) }}'")
    }
    (one, _) = await bodies(helm, files, chart=ChartOptions(values={"password": "p"}))
    assert one["data"]["value"] == "p"


async def test_hooks_have_their_turn(helm: Path) -> None:
    names = {"pre-install,pre-upgrade": "before", "post-upgrade": "after"}
    head = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n"
    job = head + "  annotations: {{helm.sh/hook: '{hook}'}}\nspec: {{}}\n"
    hooks = {f"deploy/templates/{name}.yaml": job.format(name=name, hook=hook) for hook, name in names.items()}
    found = {one.key.name: phase_of(one) for one in (await rendered(helm, request_of(FILES | hooks))).desired.manifests}
    assert found == {"shop-web": Phase.ORDINARY, "before": Phase.BEFORE, "after": Phase.AFTER}


async def test_a_value_is_explained_by_its_place_and_its_template(helm: Path) -> None:
    environment = "spec:\n  applications:\n    shop:\n      values: {image: {tag: v7}}\n"
    origin = Origin(PLATFORM, "environments/prod.yaml", 3, CommitId("b" * 40))
    place = ("spec", "applications", "shop", "values")
    chart = ChartOptions(values={"image": {"tag": "v7"}}, origin=origin, place=place)
    overlays = {"environments/prod.yaml": environment, "overlays/prod/shop/values.yaml": "replicas: 41\n"}
    request = request_of(FILES, overlays, namespace="x", chart=chart)
    key = ObjectKey("apps", "Deployment", "x", "shop-web")

    async def told(path: str) -> list[tuple[str, str, bool, bool]]:
        async def do(prepared: Any) -> tuple[Setting, ...]:
            return explain(replace(request, prepared=prepared), key, parse_path(path))

        found = await Workshop({ChartTemplate: Helm(str(helm))}).work(do)
        return [(str(one.origin), one.text, one.overridden, one.is_template) for one in found]

    assert await told("spec.replicas") == [
        ("overlays/prod/shop/values.yaml:1", "41", False, False),
        ("deploy/templates/deployment.yaml:9", "", False, True),
    ]
    image = await told("spec.template.spec.containers[0].image")
    assert ("environments/prod.yaml:4", "v7", False, False) in image
    assert any(place == "deploy/values.yaml:4" for place, *_ in image)  # the name, which stays the chart's own
    assert ("deploy/templates/deployment.yaml:18", "", False, True) in image


async def test_what_helm_takes_and_yaml_frowns_on_is_taken(helm: Path) -> None:
    files = {
        "deploy/Chart.yaml": "apiVersion: v2\nname: lax\nname: web\nversion: 1.0.0\n",
        "deploy/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: one\n  k: two\n",
        "deploy/templates/comment.yaml": "# nothing but words\n---\n# more of them\n---\nnull\n",
        "deploy/templates/list.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n"
        "  - {apiVersion: v1, kind: ConfigMap, metadata: {name: inner}}\n",
        "deploy/templates/nothing.yaml": "{{- if .Values.missing }}\nkind: x\n{{- end }}\n",
    }
    found = await bodies(helm, files)
    assert [(one["metadata"]["name"], one.get("data")) for one in found] == [("a", {"k": "two"}), ("inner", None)]
