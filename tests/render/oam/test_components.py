"""Components of an Application that other renderers make: Terraform modules, kustomizations and charts."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from controller.documents import canonical, decode
from controller.model import (
    Digest,
    Invalid,
    Stalled,
)
from controller.render import (
    NO_FACTS,
    ChartArchive,
    ChartHead,
    ChartTemplate,
    ClusterFacts,
    Needed,
    Place,
    Rendered,
    RenderRequest,
    Result,
    Surroundings,
    head_of,
    render,
)
from controller.render.terraform import render_workspace

from .applications import application, web
from .placements import AROUND, CLOUD, HOST, NORTH, PROD, bodies, notes, placed, request

PLAIN = {
    "plain/a.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    "plain/inner/b.yml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {x: old}\n",
    "plain/built/kustomization.yaml": b"resources: [c.yaml]\nnamePrefix: built-\n",
    "plain/built/c.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
    "plain/package.json": b"{}",
}


class TestModules:
    HCL = 'variable "name" {}\noutput "bucket" { value = var.name }\n'
    PLACE = {"type": "terraform", "name": "bucket"}  # noqa: RUF012

    def test_a_module_in_the_repository_is_the_terraform_targets_workspace(self) -> None:
        module = self.PLACE | {"properties": {"source": "modules/bucket", "variables": {"name": "assets"}}}
        asked = request(application(web(), module), CLOUD, **{"modules__bucket__main.tf": self.HCL.encode()})
        (found,) = render_workspace(asked).desired.manifests
        body = decode(found.body)
        assert isinstance(body, dict)
        assert (body["root"], body["variables"]) == ("modules/bucket", {"name": "assets"})

    def test_configuration_in_the_application_is_a_workspace_too(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL, "variables": {"name": "assets"}}}
        (found,) = render_workspace(request(application(web(), module), CLOUD)).desired.manifests
        body = decode(found.body)
        assert isinstance(body, dict)
        assert body["files"] == {"deploy/bucket/main.tf": self.HCL}
        assert found.origin.path == "deploy/app.yaml"

    def test_a_cluster_leaves_the_module_to_the_terraform_target(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL}}
        assert list(bodies(placed(application(web(), module)))) == ["Deployment web"]

    def test_a_module_without_a_terraform_target_is_refused(self) -> None:
        module = self.PLACE | {"properties": {"hcl": self.HCL}}
        around = Surroundings(places={PROD: {NORTH: Place()}})
        with pytest.raises(Invalid, match="no terraform target"):
            render(request(application(web(), module), around=around))

    def test_a_module_that_is_not_in_the_repository_is_refused(self) -> None:
        module = self.PLACE | {"properties": {"source": "https://git.example.com/modules.git"}}
        with pytest.raises(Invalid, match="there is no folder"):
            render_workspace(request(application(module), CLOUD))


class TestOthers:
    URL = "https://git.example.com/shop.git"
    FILES = {  # noqa: RUF012
        "base/kustomization.yaml": b"resources: [c.yaml]\nnamePrefix: a-\n",
        "base/c.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
        "charts/web/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n",
    }

    def asked(self, **component: Any) -> RenderRequest:
        body = application(web(), {"name": "beside", **component})
        files = {path.replace("/", "__"): data for path, data in self.FILES.items()}
        around = replace(AROUND, charts={f"{HOST}#redis": "reader"})
        return replace(request(body, around=around, **files), url=self.URL.removesuffix(".git"))

    def test_a_kustomization_of_the_repository_is_built_in_its_place(self) -> None:
        properties = {"url": self.URL, "path": "./base", "targetNamespace": "other"}
        found = render(self.asked(type="kustomize", properties=properties, dependsOn=["web"]))
        beside = next(one for one in found.desired.manifests if one.key.kind == "ConfigMap")
        assert (beside.key.name, beside.key.namespace, beside.origin.path) == ("a-c", "other", "base/c.yaml")
        assert notes(found, "ConfigMap a-c") == {"converge/wave": "1"}

    @pytest.mark.parametrize("place", ["", "deploy/"])
    def test_a_folder_of_plain_yaml_becomes_a_kustomization_as_in_flux(self, place: str) -> None:
        patch = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: b}\ndata: {x: new}"
        properties = {"url": self.URL, "path": f"{place}plain", "patches": [{"patch": patch}]}
        body = application(web(), {"name": "beside", "type": "kustomize", "properties": properties})
        files = {f"{place}{path}".replace("/", "__"): data for path, data in PLAIN.items()}
        found = render(replace(request(body, **files), url=self.URL))
        assert sorted(bodies(found)) == ["ConfigMap a", "ConfigMap b", "ConfigMap built-c", "Deployment web"]
        assert bodies(found)["ConfigMap b"]["data"] == {"x": "new"}

    def test_an_application_in_the_folder_of_its_own_component_is_no_part_of_it(self) -> None:
        properties = {"url": self.URL, "path": "deploy"}
        body = application(web(), {"name": "beside", "type": "kustomize", "properties": properties})
        found = render(replace(request(body, **{"deploy__a.yaml": PLAIN["plain/a.yaml"]}), url=self.URL))
        assert sorted(bodies(found)) == ["ConfigMap a", "Deployment web"]

    def test_a_chart_of_the_repository_is_asked_of_helm_with_the_components_values(self) -> None:
        properties = {"repoType": "git", "url": self.URL, "chart": "charts/web", "values": {"a": 1}}
        with pytest.raises(Needed) as caught:
            render(replace(self.asked(type="helm", properties=properties), prepared={ClusterFacts().digest: NO_FACTS}))
        (need,) = caught.value.needs
        assert isinstance(need, ChartTemplate)
        assert (need.release, need.path, [data for _, data in need.values]) == ("beside", "charts/web", [b'{"a":1}'])

    @pytest.mark.parametrize("version", ["^18.2", "18.x", "18.2", "*", ">=18 <19", f"~18.2@sha256:{'0' * 64}"])
    def test_a_range_of_versions_is_looked_up_and_its_digest_pinned(self, version: str) -> None:
        asked = self.from_host(version)
        with pytest.raises(Needed) as caught:
            render(asked)
        (head,) = caught.value.needs
        assert isinstance(head, ChartHead)
        assert (head.url, head.versions, head.credential) == (f"{HOST}#redis", version, "reader")
        assert (head.where.path, head.where.line > 1) == ("deploy/app.yaml", True)
        with pytest.raises(Needed) as caught:
            render(replace(asked, prepared={head.digest: head_of("18.2.3", "sha256:abc")}))
        (archive,) = caught.value.needs
        assert isinstance(archive, ChartArchive)
        assert archive.version == "18.2.3@sha256:abc"

    @pytest.mark.parametrize("version", ["18.2.3", "v18.2.3", f"18.2.3@sha256:{'0' * 64}"])
    def test_one_version_is_fetched_without_looking_it_up(self, version: str) -> None:
        with pytest.raises(Needed) as caught:
            render(self.from_host(version))
        (archive,) = caught.value.needs
        assert isinstance(archive, ChartArchive)
        assert archive.version == version

    def test_what_a_range_led_to_is_noted_on_its_objects_and_an_input(self) -> None:
        first, second = self.made("^18", "18.2.3"), self.made("^18", "18.2.4")
        assert first.follows == ("redis 18.2.3 sha256:18.2.3",)
        assert notes(first, "ConfigMap r") == {"converge/chart": "redis 18.2.3 sha256:18.2.3"}
        assert notes(first, "Deployment web") == {}
        assert first.desired.inputs != second.desired.inputs
        plain = self.made("18.2.3", "")
        assert plain.follows == ()
        assert notes(plain, "ConfigMap r") == {}

    def test_what_several_components_need_is_asked_for_at_once(self) -> None:
        with pytest.raises(Needed) as caught:
            render(self.from_host("^18", "^17", "16.0.0"))
        assert [type(one) for one in caught.value.needs] == [ChartHead, ChartHead, ChartArchive]

    def from_host(self, *versions: str) -> RenderRequest:
        properties = [{"url": HOST, "chart": "redis", "version": one} for one in versions]
        components = [{"name": f"r{n}", "type": "helm", "properties": one} for n, one in enumerate(properties)]
        around = replace(AROUND, charts={f"{HOST}#redis": "reader"})
        return request(application(web(), *components), around=around)

    def made(self, version: str, newest: str) -> Rendered:
        """Render as the engine does, with a chart of one ConfigMap."""
        asked = self.from_host(version)
        prepared: dict[Digest, Result | Stalled] = {}
        while True:
            try:
                return render(replace(asked, prepared=prepared))
            except Needed as needed:
                for need in needed.needs:
                    match need:
                        case ChartHead():
                            prepared[need.digest] = head_of(newest, f"sha256:{newest}")
                        case ChartArchive():
                            chart = base64.b64encode(b"apiVersion: v2\nname: redis\nversion: 18.2.3\n").decode()
                            prepared[need.digest] = canonical({"Chart.yaml": chart})
                        case ChartTemplate():
                            text = (
                                b"---\n# Source: redis/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\n"
                            )
                            prepared[need.digest] = text
                        case _:
                            prepared[need.digest] = NO_FACTS

    @pytest.mark.parametrize(
        ("component", "says"),
        [
            ({"type": "helm", "properties": {"url": "https://charts.example.com", "chart": "redis"}}, "names no chart"),
            ({"type": "helm", "properties": {"repoType": "git", "url": "https://x", "chart": "a"}}, "lies outside"),
            (
                {"type": "helm", "properties": {"url": HOST, "chart": "redis", "version": "new"}},
                "no version, and no range",
            ),
            ({"type": "kustomize", "properties": {"url": "https://git.example.com/else", "path": "base"}}, "outside"),
            ({"type": "kustomize", "properties": {"url": URL, "path": "bse"}}, 'no folder "bse"'),
            ({"type": "helm", "properties": {"repoType": "git", "url": URL, "chart": "base"}}, "holds no chart"),
        ],
    )
    def test_what_can_t_be_made_here_is_refused_with_what_to_do(self, component: dict[str, Any], says: str) -> None:
        with pytest.raises(Invalid, match=says):
            render(self.asked(**component))
