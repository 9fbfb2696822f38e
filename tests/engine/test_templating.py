"""Charts are templated by the real helm, and end as the same Manifests as any other base."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.engine.preparing import Workshop
from controller.engine.render_pool import RenderPool
from controller.engine.templating import Helm
from controller.model import (
    PLATFORM,
    Capabilities,
    ChartOptions,
    CommitId,
    Invalid,
    ObjectKey,
    Origin,
    Stalled,
    Unequipped,
    parse_path,
)
from controller.render import ChartTemplate, Rendered, RenderRequest, Setting, explain, facts_of, render
from controller.runtime.scratch import MEMORY
from controller.targets.hooks import Phase, phase_of
from tests.render.requests import request_of

pytestmark = pytest.mark.helm

CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
DEPLOYMENT = """\
{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  labels:
    release: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: "{{ .Values.image.name }}:{{ .Values.image.tag }}"
{{- end }}
"""
FILES = {
    "deploy/Chart.yaml": CHART,
    "deploy/values.yaml": "enabled: true\nreplicas: 1\nimage:\n  name: example.com/web\n  tag: '1'\nREGION: none\n",
    "deploy/templates/_helpers.tpl": '{{- define "web.name" -}}{{ .Release.Name }}-web{{- end -}}\n',
    "deploy/templates/deployment.yaml": DEPLOYMENT,
}


async def rendered(helm: Path, request: RenderRequest, capabilities: Capabilities | None = None) -> Rendered:
    async def facts() -> bytes:
        return facts_of(capabilities or Capabilities())

    async def do(prepared: Any) -> Rendered:
        return render(replace(request, prepared=prepared))

    return await Workshop({ChartTemplate: Helm(str(helm))}).work(do, facts)


async def bodies(
    helm: Path, files: Mapping[str, str], overlays: Mapping[str, str] | None = None, **more: Any
) -> list[dict[str, Any]]:
    capabilities = more.pop("capabilities", None)
    result = await rendered(helm, request_of(files, overlays, **more), capabilities)
    return [json.loads(one.body) for one in result.desired.manifests]


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
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{value: {value}}}\n"


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


async def test_a_chart_sees_nothing_of_this_machine(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "tweet")
    monkeypatch.setenv("HELM_NAMESPACE", "tweet")
    asked = '{{ lookup "v1" "Namespace" "" "" }}{{ .Release.Namespace }}{{ .Files.Get "/etc/passwd" }}'
    text = CONFIG.format(value=f"""'{asked}{{{{ getHostByName "localhost" }}}}'""")
    files = {"deploy/Chart.yaml": CHART, "deploy/templates/map.yaml": text}
    (one,) = await bodies(helm, files)
    assert one["data"]["value"] == "map[]default"
    with pytest.raises(Invalid, match="env"):
        await bodies(helm, files | {"deploy/templates/env.yaml": '{{ env "CANARY" }}'})


async def test_a_missing_helm_is_not_kept_as_the_charts_fault(helm: Path, tmp_path: Path) -> None:
    program = tmp_path / "helm"
    workshop = Workshop({ChartTemplate: Helm(str(program))})

    async def do(prepared: Any) -> Rendered:
        return render(replace(request_of(FILES), prepared=prepared))

    with pytest.raises(Unequipped, match=r"deploy/Chart\.yaml: a Helm chart, and there is no"):
        await workshop.work(do)
    program.symlink_to(helm)
    assert (await workshop.work(do)).desired.manifests


async def test_a_helm_that_is_too_old_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\necho v3.9.4\n")
    program.chmod(0o755)
    with pytest.raises(Unequipped, match=r"3\.14"):
        await bodies(program, FILES)


async def test_a_chart_that_never_ends_is_stopped(helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.templating.MEMORY_BYTES", 200 << 20)
    text = '{{ $s := "xxxxxxxxxxxxxxxx" }}{{ range until 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}\n'
    with pytest.raises(Stalled):
        await bodies(helm, FILES | {"deploy/templates/a.yaml": text})


async def test_nothing_stays_behind(helm: Path) -> None:
    await bodies(helm, FILES)
    with pytest.raises(Invalid):
        await bodies(helm, FILES | {"deploy/templates/a.yaml": "{{ nothing }}"})
    folders = {MEMORY, Path(tempfile.gettempdir())}
    assert not [one for folder in folders for one in folder.glob(f"converge-{os.getpid()}-helm*")]


async def test_hooks_have_their_turn(helm: Path) -> None:
    names = {"pre-install,pre-upgrade": "before", "post-upgrade": "after"}
    head = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n"
    job = head + "  annotations: {{helm.sh/hook: '{hook}'}}\nspec: {{}}\n"
    hooks = {f"deploy/templates/{name}.yaml": job.format(name=name, hook=hook) for hook, name in names.items()}
    found = {one.key.name: phase_of(one) for one in (await rendered(helm, request_of(FILES | hooks))).desired.manifests}
    assert found == {"shop-web": Phase.ORDINARY, "before": Phase.BEFORE, "after": Phase.AFTER}


async def test_a_worker_process_renders_charts_too(helm: Path) -> None:
    request = request_of(FILES, namespace="x")
    pool = RenderPool(size=1)

    async def by_a_worker(prepared: Any) -> Rendered:
        return await pool.render(replace(request, prepared=prepared))

    try:
        assert await Workshop({ChartTemplate: Helm(str(helm))}).work(by_a_worker) == await rendered(helm, request)
    finally:
        await pool.close()


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


async def test_charts_below_are_wired_as_helm_wires_them(helm: Path) -> None:
    """Alias, condition, tags, import-values, globals, a library, `.helmignore`, `.Files` and `tpl` are helm's work."""
    named = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {said: {{ SAID | quote }}}\n"
    dependencies = """\
dependencies:
- {name: child, version: 0.x, repository: "https://charts.example.com", import-values: [told]}
- {name: child, alias: other, version: 0.1.0, repository: "https://charts.example.com"}
- {name: lib, version: 0.x.x, repository: "https://charts.example.com"}
- {name: spare, version: ">0", condition: spare.enabled}
- {name: tagged, version: "*", tags: [back]}
"""

    def map_of(name: str, said: str) -> str:
        return named.replace("NAME", name).replace("SAID", said)

    files = {
        "deploy/Chart.yaml": f"apiVersion: v2\nname: whole\nversion: 1.0.0\n{dependencies}",
        "deploy/values.yaml": "global: {where: here}\nspare: {enabled: false}\ntags: {back: false}\nother: {x: mine}\n",
        "deploy/.helmignore": "hidden.txt\n*.bak\n",
        "deploy/templates/a.yaml": map_of("imported", ".Values.kept"),
        "deploy/templates/b.yaml": map_of("files", 'print (tpl (.Files.Get "t.txt") .) (.Files.Get "hidden.txt")'),
        "deploy/templates/c.yaml.bak": '{{ fail "ignored" }}',
        "deploy/t.txt": "from {{ .Release.Name }}",
        "deploy/hidden.txt": "not to be seen",
        "deploy/charts/child/Chart.yaml": "apiVersion: v2\nname: child\nversion: 0.1.0\n",
        "deploy/charts/child/values.yaml": "x: own\nexports: {told: {kept: seven}}\n",
        "deploy/charts/child/templates/a.yaml": map_of("{{ .Chart.Name }}", 'include "lib.said" .'),
        "deploy/charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n",
        "deploy/charts/lib/templates/_a.tpl": '{{ define "lib.said" }}'
        "{{ .Values.x }} {{ .Values.global.where }}{{ end }}",
        "deploy/charts/spare/Chart.yaml": "apiVersion: v2\nname: spare\nversion: 1.0.0\n",
        "deploy/charts/spare/templates/a.yaml": map_of("spare", "1"),
        "deploy/charts/tagged/Chart.yaml": "apiVersion: v2\nname: tagged\nversion: 1.0.0\n",
        "deploy/charts/tagged/templates/a.yaml": map_of("tagged", "1"),
    }
    found = await bodies(helm, files)
    assert {one["metadata"]["name"]: one["data"]["said"] for one in found} == {
        "imported": "seven",
        "files": "from shop",
        "child": "own here",
        "other": "mine here",
    }


AMID = {
    "deploy/app.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {x: plain}\n",
    "deploy/built/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: built-\n",
    "deploy/built/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: built}\n",
    "deploy/parts/cache/Chart.yaml": "apiVersion: v2\nname: cache\nversion: 1.0.0\n",
    "deploy/parts/cache/values.yaml": "x: own\nREGION: none\n",
    "deploy/parts/cache/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    'data: {x: "{{ .Values.x }} {{ .Values.REGION }} {{ (.Values.global).g }}"}\n',
    "deploy/queue/Chart.yaml": "apiVersion: v2\nname: queue\nversion: 1.0.0\n",
    "deploy/queue/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    'data: {x: "{{ .Values.x }}"}\n',
}


async def test_charts_amid_plain_yaml_and_beside_a_kustomization_are_parts_of_the_application(helm: Path) -> None:
    """Each has its folder's name in its release, and its values under that name, as charts in a chart have."""
    chart = ChartOptions(values={"cache": {"x": "entry"}, "queue": {"x": 2}, "global": {"g": "all"}, "x": "nobody's"})
    component = "kind: Component\nlabels: [{pairs: {team: a}}]\n"
    for overlays in ({}, {"overlays/prod/shop/kustomization.yaml": component}):
        found = await bodies(helm, AMID, overlays, chart=chart, parameters={"REGION": "cn"})
        assert {one["metadata"]["name"]: one["data"]["x"] for one in found} == {
            "plain": "plain",
            "built-a": "built",
            "shop-cache": "entry cn all",
            "shop-queue": "2",
        }
        assert all(one["metadata"].get("labels") == ({"team": "a"} if overlays else None) for one in found)


async def test_a_chart_that_an_application_names_is_made_once(helm: Path) -> None:
    properties = {"repoType": "git", "url": "https://git.example.com/shop.git", "chart": "queue", "values": {"x": 7}}
    component = {"name": "queue", "type": "helm", "properties": properties}
    spec = {"components": [component]}
    application = {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "a"}, "spec": spec}
    files = {"deploy/app.yaml": json.dumps(application)}
    files |= {path: text for path, text in AMID.items() if path.startswith("deploy/queue/")}
    (found,) = await bodies(helm, files, url="https://git.example.com/shop")
    assert (found["metadata"]["name"], found["data"]["x"]) == ("queue", "7")
