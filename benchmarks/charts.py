"""What Converge adds to helm: a chart templated, read and made Manifests, against the bare binary.

Turn by turn with `helm template` on the same files, started in the same way with the same arguments. Once with nothing
remembered of any render before, and once as a commit finds it that changed one template.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from controller.engine import Helm, Workshop
from controller.git import GitTree, Mirrors
from controller.model import (
    PLATFORM,
    ApplicationName,
    CommitId,
    EnvironmentName,
    MemoryTree,
    PlacementRef,
    Revision,
    TargetName,
)
from controller.render import ChartTemplate, Prepared, Rendered, RenderRequest, render
from controller.render.helm.printed import memory
from controller.runtime import CredentialStore, bare_environment, run
from controller.sandbox import GitHost
from tests.fixtures.helm import TOOL

ROUNDS = 5
SECONDS = 60.0
HELPERS = """\
{{- define "labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | default "1" | quote }}
{{- end -}}
"""
TEMPLATE = """\
{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-NUMBER
  labels: {{- include "labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "labels" . | nindent 8 }}
    spec:
      containers:
      - name: app
        image: "{{ .Values.image.name }}:{{ .Values.image.tag }}"
        env:
        {{- range $name, $value := .Values.env }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
{{- end }}
"""
VALUES = "enabled: true\nreplicas: 2\nimage: {name: example.com/app, tag: '1'}\nenv: {A: '1', B: '2', C: '3', D: '4'}\n"


@dataclass(frozen=True, slots=True)
class Charts:
    """Seconds of each round, turn by turn, of one chart."""

    name: str
    objects: int
    bare: Sequence[float]
    ours: Sequence[float]
    cpu: Sequence[
        float
    ]  # of this process alone, less what it takes to start the bare one: what other load can't change
    starting: float  # CPU seconds that starting helm takes here
    again: Sequence[float] = ()  # the same after a commit that changed one template

    @property
    def overhead_seconds(self) -> float:
        """Give what is added, as the clock tells or as the processor does, whichever the machine's load blurs less."""
        return min(median(self.cpu), median(one - other for one, other in zip(self.ours, self.bare, strict=True)))

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.bare)


def chart(templates: int, dependencies: int) -> Mapping[str, bytes]:
    """Make a chart of so many templates, with charts below it that have as many each."""
    files: dict[str, bytes] = {}
    for prefix in ("", *(f"charts/part-{number}/" for number in range(dependencies))):
        name = prefix.strip("/").rpartition("/")[2] or "whole"
        files[f"{prefix}Chart.yaml"] = f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n".encode()
        files[f"{prefix}values.yaml"] = VALUES.encode()
        files[f"{prefix}templates/_helpers.tpl"] = HELPERS.encode()
        for number in range(templates):
            text = TEMPLATE.replace("NUMBER", f"{name}-{number}")
            files[f"{prefix}templates/{number}.yaml"] = text.encode()
    return files


async def measure_charts(rounds: int = ROUNDS) -> Sequence[Charts]:
    helm = TOOL.path()
    sizes = {"one object": (1, 0), "ten objects": (10, 0), "a hundred objects, ten charts": (10, 9)}
    measured: list[Charts] = []
    with TemporaryDirectory() as folder:
        host = GitHost(Path(folder) / "host")
        async with host:
            mirrors = Mirrors(Path(folder) / "mirrors", CredentialStore(Path(folder) / "credentials"))
            for number, (name, size) in enumerate(sizes.items()):
                files = chart(*size)
                mirror = mirrors.mirror(host.url(f"chart-{number}"))
                tree = await mirror.tree(await host.create(f"chart-{number}", files))
                craft = Helm(str(helm))
                first = await _measure(name, files, tree, craft, rounds)
                again: list[float] = []
                for turn in range(rounds):
                    changed = files["templates/0.yaml"].replace(b"name: app", f"name: app-{turn}".encode())
                    commit = await host.commit(f"chart-{number}", {"templates/0.yaml": changed})
                    later = await mirror.tree(commit)
                    busy = time.process_time()
                    await _ours(later, craft)
                    again.append(time.process_time() - busy - first.starting)
                measured.append(replace(first, again=again))
            mirrors.close()
    return measured


async def _measure(name: str, files: Mapping[str, bytes], tree: GitTree, craft: Helm, rounds: int) -> Charts:
    helm = craft.program
    starts: list[float] = []
    bare: list[float] = []
    ours: list[float] = []
    cpu: list[float] = []
    rendered: Rendered | None = None
    with TemporaryDirectory() as folder:
        for path, data in files.items():
            place = Path(folder) / "chart" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        argv = (helm, "template", "--namespace", "shop", "--skip-tests", "--include-crds", "--", "shop", "chart")
        env = bare_environment({"HOME": folder})
        await _ours(tree, craft)  # it asks for the version once
        for _ in range(rounds):
            started, busy = time.perf_counter(), time.process_time()
            done = await run(argv, cwd=Path(folder), env=env, deadline_seconds=SECONDS)
            bare.append(time.perf_counter() - started)
            if done.returncode:
                raise RuntimeError(done.error_text)
            starts.append(time.process_time() - busy)
            memory().clear()
            started, busy = time.perf_counter(), time.process_time()
            rendered = await _ours(tree, craft)
            ours.append(time.perf_counter() - started)
            cpu.append(time.process_time() - busy - starts[-1])
    assert rendered is not None
    return Charts(name, len(rendered.desired.manifests), bare, ours, cpu, median(starts))


async def _ours(tree: GitTree, craft: Helm) -> Rendered:
    """Render as a new commit makes it necessary: nothing is kept of any render before."""
    commit = CommitId("a" * 40)
    request = RenderRequest(
        placement=PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("home")),
        revision=Revision(commit, commit),
        application=tree,
        path="",
        platform=MemoryTree({}, PLATFORM, commit),
        namespace="shop",
    )

    async def do(prepared: Prepared) -> Rendered:
        return render(replace(request, prepared=prepared))

    return await Workshop({ChartTemplate: craft}).work(do)


def table(measured: Sequence[Charts]) -> Sequence[str]:
    head = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    names = f"{'chart':32} objects  helm ms  converge ms  adds ms  own CPU ms  ratio  after a commit, CPU ms"
    lines = [
        f"{one.name:32} {one.objects:7} {median(one.bare) * 1000:8.0f} {median(one.ours) * 1000:12.0f} "
        f"{one.overhead_seconds * 1000:8.1f} {median(one.cpu) * 1000:11.1f} {one.ratio:6.2f} "
        f"{median(one.again) * 1000:23.1f}"
        for one in measured
    ]
    return [head, names, *lines]
