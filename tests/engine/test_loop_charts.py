"""Helm charts on the whole way: followed at their hosts, applied, recorded, and taken over from helm itself."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from controller.engine import Archives, Heads, Helm, PlacementReconciled, Workshop
from controller.engine.history.verifying import UNKNOWN_VERSION
from controller.git import Mirrors, choose, ref_patterns
from controller.model import Health, SyncStatus
from controller.render import ChartArchive, ChartHead, ChartTemplate
from controller.runtime import CredentialStore, bare_environment, run
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.canary import CANARY, converge, found_in
from tests.fixtures.charts import ChartHosts, chart_hosts
from tests.fixtures.loop import Loop

pytestmark = [pytest.mark.slow, pytest.mark.helm]

FLUX = {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "flux"}
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "replicas: 2\nimage: registry.example.com/web:1\n",
    "templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app.kubernetes.io/managed-by: {{ .Release.Service }}}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
      - name: web
        image: {{ .Values.image }}
""",
    "templates/service.yaml": """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
  - port: 80
""",
}


@pytest.fixture
async def hosts() -> AsyncIterator[ChartHosts]:
    async with chart_hosts() as hosts:
        yield hosts


@pytest.fixture(autouse=True)
def workshop(loop: Loop, helm: Path) -> None:
    loop.workshop = Workshop({ChartTemplate: Helm(str(helm))})


@pytest.mark.parametrize("kind", ["repository", "registry"])
async def test_a_range_of_versions_is_followed_and_its_digest_recorded(
    loop: Loop, live: Api, hosts: ChartHosts, helm: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{helm.parent}{os.pathsep}{os.environ['PATH']}")
    hosts.add("web", "1.0.0")
    source = {"url": hosts.repository, "chart": "web"} if kind == "repository" else {"url": hosts.oci("web")}
    entry = {"repository": "charts", "path": "", "revision": "", "version": "^1", "values": {"size": "big"}}
    await loop.platform({"web": entry}, repositories={"charts": source})
    async with loop.start():
        await loop.synced("web")
        assert (await live.get("v1", "ConfigMap", "web"))["data"] == {"version": "1.0.0", "size": "big"}
        mark = loop.mark()
        hosts.add("web", "2.0.0")
        digest = hosts.add("web", "1.1.0")

        def is_there(event: PlacementReconciled) -> bool:
            return event.report.sync is SyncStatus.SYNCED and "1.1.0" in event.report.subject

        await loop.until(PlacementReconciled, is_there, since=mark)
        assert (await live.get("v1", "ConfigMap", "web"))["data"]["version"] == "1.1.0"
    record = await recorded(loop, tmp_path, "status/dev/web.yaml")
    assert digest in record
    assert "web 1.1.0" in record
    told = await converge(loop, "verify", "dev/web")  # by a cache of its own: it finds both versions at their host
    assert told.count("proven") == 2, told


async def recorded(loop: Loop, folder: Path, path: str) -> str:
    mirrors = Mirrors(folder / "looked-at", CredentialStore(folder / "credentials"))
    mirror = mirrors.mirror(loop.host.url("platform"))
    refs = await mirror.refs(ref_patterns("converge-status"))
    tree = await mirror.tree(choose("converge-status", refs, url=mirror.url))
    mirrors.close()
    return tree.read(path).decode()


async def test_a_chart_of_an_applications_repository_is_templated_with_what_stands_beside_it(
    loop: Loop, live: Api
) -> None:
    files = {f"deploy/{path}": text.encode() for path, text in CHART.items()}
    await loop.host.create("web", files)
    overlay = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {team: web}\n"
    platform = {"overlays/dev/web/values.yaml": b"replicas: 3\n", "overlays/dev/web/kustomization.yaml": overlay}
    await loop.platform({"web": {}}, files=platform)
    async with loop.start():
        await loop.report("web", health=Health.HEALTHY)
        web = await live.get("apps/v1", "Deployment", "web")
        assert web["spec"]["replicas"] == 3
        assert web["metadata"]["annotations"]["team"] == "web"
        assert web["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        change = await loop.host.commit("web", {"deploy/values.yaml": b"replicas: 9\nimage: x.example.com/web:2\n"})
        await loop.synced("web", commit=change)
        web = await live.get("apps/v1", "Deployment", "web")
        assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "x.example.com/web:2"


async def test_a_chart_is_templated_for_the_cluster_that_it_goes_to(loop: Loop, live: Api) -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data:
  version: {{ .Capabilities.KubeVersion.Version }}
  has: "{{ .Capabilities.APIVersions.Has "apps/v1/Deployment" }} {{ .Capabilities.APIVersions.Has "no.such/v1" }}"
"""
    await loop.host.create(
        "web", {"deploy/Chart.yaml": CHART["Chart.yaml"].encode(), "deploy/templates/a.yaml": text.encode()}
    )
    await loop.platform({"web": {}})
    async with loop.start():
        await loop.synced("web")
    data = (await live.get("v1", "ConfigMap", "facts"))["data"]
    version = await live.request("GET", "/version")
    assert data == {"version": version["gitVersion"], "has": "true false"}


async def test_a_missing_helm_heals_without_a_commit(loop: Loop, live: Api, helm: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "helm"
    loop.workshop = Workshop({ChartTemplate: Helm(str(program))})
    await loop.host.create("web", {f"deploy/{path}": text.encode() for path, text in CHART.items()})
    await loop.platform({"web": {}})
    async with loop.start() as controller:
        report = await loop.report("web", SyncStatus.FAILED)
        assert "no " in report.reason
        assert "deploy/Chart.yaml" in report.reason
        program.parent.mkdir()
        program.symlink_to(helm)
        controller.poke()
        await loop.synced("web")
    assert await live.get("v1", "Service", "web")


async def test_a_broken_chart_stops_and_what_runs_of_it_stays(loop: Loop, live: Api) -> None:
    files = {f"deploy/{path}": text.encode() for path, text in CHART.items()}
    await loop.host.create("web", files)
    await loop.platform({"web": {}})
    async with loop.start():
        await loop.synced("web")
        mark = loop.mark()
        await loop.host.commit("web", {"deploy/templates/service.yaml": b"a: b\n{{ .Values.no.such }}\n"})
        report = await loop.report("web", SyncStatus.FAILED, since=mark)
        assert "deploy/templates/service.yaml:2" in report.reason
    assert await live.get("v1", "Service", "web")


async def test_a_secret_of_a_chart_surfaces_nowhere(
    loop: Loop, live: Api, helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{helm.parent}:{Path('/usr/bin')}:{Path('/bin')}")
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: {{ .Values.password | quote }}}\n"
    )
    files = {"deploy/Chart.yaml": CHART["Chart.yaml"], "deploy/templates/db.yaml": secret}
    files["deploy/values.yaml"] = yaml.safe_dump({"password": CANARY})
    await loop.host.create("web", {path: text.encode() for path, text in files.items()})
    await loop.platform({"web": {}})
    told = await converge(loop, "run", "--once", "--log-level", "debug", "--log-format", "json")
    stored = await live.get("v1", "Secret", "db")
    assert base64.b64decode(stored["data"]["password"]).decode() == CANARY
    for command in ("plan", "render", "status"):
        told += await converge(loop, command, *(() if command == "status" else ("dev/web",)))
    assert found_in(told) == []
    record = await recorded(loop, tmp_path, "status/dev/web.yaml")
    assert found_in(record) == []


async def pods(api: Api) -> set[str]:
    return {one["metadata"]["uid"] for one in (await api.list("v1", "Pod"))["items"]}


@pytest.mark.cluster
async def test_a_release_is_taken_over_from_helm_without_a_restart(
    loop: Loop, live: Api, place: KubeAccess, helm: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "real" not in request.node.name:
        pytest.skip("helm itself asks more of an API server than the sandbox has")
    folder = tmp_path / "web"
    for path, text in CHART.items():
        await asyncio.to_thread((folder / path).parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread((folder / path).write_text, text)
    install = (str(helm), "install", "web", str(folder), "--namespace", loop.namespace, "--set", "replicas=2")
    env = bare_environment({"KUBECONFIG": str(place.kubeconfig), "HOME": str(tmp_path)})
    done = await run(install, cwd=tmp_path, env=env, deadline_seconds=60)
    assert done.returncode == 0, done.error_text
    await live.patch(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}, {"metadata": {"labels": FLUX}},
        fieldManager="helm-controller",
    )  # fmt: skip
    before = await live.get("apps/v1", "Deployment", "web")
    async with asyncio.timeout(30):
        while len(started := await pods(live)) < 2:  # noqa: ASYNC110 - the cluster sets no event of ours
            await asyncio.sleep(0.05)
    await loop.host.create("web", {f"deploy/{path}": text.encode() for path, text in CHART.items()})
    await loop.platform({"web": {"sync": {"adopt": "takeOver"}}})
    async with loop.start():
        await loop.synced("web")
        after = await live.get("apps/v1", "Deployment", "web")
        assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
        assert await pods(live) == started
        assert not any(name.startswith("meta.helm.sh/") for name in after["metadata"]["annotations"])
        service = await live.get("v1", "Service", "web")
        assert not {*FLUX} & {*service["metadata"].get("labels", {})}
        mark = loop.mark()
        change = await loop.host.commit(
            "web", {"deploy/values.yaml": b"replicas: 1\nimage: registry.example.com/web:1\n"}
        )
        await loop.synced("web", commit=change, since=mark)
        assert (await live.get("apps/v1", "Deployment", "web"))["spec"]["replicas"] == 1


APPLICATION = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: web}}
spec:
  components:
  - name: cache
    type: helm
    properties: {{repoType: {kind}, url: "{url}", chart: cache, version: "{version}", values: {{size: small}}}}
"""


@pytest.mark.parametrize("kind", ["helm", "oci"])
async def test_a_component_is_a_version_or_a_range_of_a_chart_that_the_platform_names(
    loop: Loop, live: Api, hosts: ChartHosts, helm: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{helm.parent}{os.pathsep}{os.environ['PATH']}")
    mirrors = Mirrors(loop.directory / "fetched", CredentialStore(loop.directory / "credentials"))
    heads = Heads(mirrors, loop.clock, seconds=0.0)
    loop.workshop = Workshop({ChartTemplate: Helm(str(helm)), ChartArchive: Archives(mirrors), ChartHead: heads})
    url = hosts.repository if kind == "helm" else hosts.oci("")
    application = APPLICATION.format(kind=kind, url=url, version="1.0.0").encode()
    await loop.host.create("web", {"deploy/app.yaml": application})
    await loop.platform({"web": {}})
    async with loop.start() as controller:
        report = await loop.report("web", SyncStatus.FAILED)
        assert "converge.yaml names no chart" in report.reason
        assert "deploy/app.yaml:8" in report.reason
        named = {"url": url, "chart": "cache"} if kind == "helm" else {"url": hosts.oci("cache")}
        mark = loop.mark()
        await loop.platform({"web": {}}, more={"cache": named})
        waiting = await loop.report("web", SyncStatus.FAILED, since=mark)
        assert "1.0.0" in waiting.reason or "404" in waiting.reason or "no chart" in waiting.reason
        hosts.add("cache", "1.0.0")
        controller.poke()
        await loop.synced("web", since=mark)
        assert (await live.get("v1", "ConfigMap", "cache"))["data"] == {"version": "1.0.0", "size": "small"}
        mark = loop.mark()
        ranged = APPLICATION.format(kind=kind, url=url, version="^1").encode()
        hosts.add("cache", "2.0.0")
        digest = hosts.add("cache", "1.1.0")
        change = await loop.host.commit("web", {"deploy/app.yaml": ranged})
        report = await loop.synced("web", commit=change, since=mark)
        found = await live.get("v1", "ConfigMap", "cache")
        assert found["data"]["version"] == "1.1.0"
        assert found["metadata"]["annotations"]["converge/chart"] == f"cache 1.1.0 {digest}"
        mark = loop.mark()
        digest = hosts.add("cache", "1.2.0")  # and no commit

        def is_newer(event: PlacementReconciled) -> bool:
            return event.report.sync is SyncStatus.SYNCED and event.report.inputs != report.inputs

        await loop.until(PlacementReconciled, is_newer, since=mark)
        found = await live.get("v1", "ConfigMap", "cache")
        assert found["data"]["version"] == "1.2.0"
        assert found["metadata"]["annotations"]["converge/chart"] == f"cache 1.2.0 {digest}"
    hosts.add("cache", "1.3.0")
    told = await converge(loop, "verify", "dev/web")
    assert told.startswith("open")  # no commit says where the range led then
    assert UNKNOWN_VERSION in told
    assert "refuted" not in told
    mirrors.close()
