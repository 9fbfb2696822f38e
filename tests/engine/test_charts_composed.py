"""Charts made of charts, and charts amid what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.model import (
    ChartOptions,
)

from .charts import bodies

pytestmark = pytest.mark.helm


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
