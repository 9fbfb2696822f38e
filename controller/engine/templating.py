"""Has charts templated by the real helm, which is given nothing but the chart and its values.

Helm runs in a folder of its own in memory, with an empty home and environment, no configuration, no cluster and no way
to the network, within a deadline and a bound of memory. A chart that uses what changes by itself (random passwords,
certificates, the time) is templated twice: what differs is refused, since it would be another version at every look.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.model import Invalid, Position, Problem, Unequipped
from controller.render import ChartTemplate
from controller.runtime import Completed, bare_environment, run, scratch

DEADLINE_SECONDS: Final = 60.0
MEMORY_BYTES: Final = 2 << 30
OLDEST: Final = (3, 14)

# Functions whose result is another one every time, or in another order.
_FICKLE: Final = re.compile(
    rb"\{\{[^{}]*\b(?:rand\w+|gen(?:PrivateKey|CA|CAWithKey|SelfSignedCert|SelfSignedCertWithKey|SignedCert|SignedCertWithKey)"
    rb"|uuidv4|now|ago|htpasswd|bcrypt|shuffle|encryptAES|keys|values)\b"
)
_PLACE: Final = re.compile(r"(?P<file>[\w.+-]+/[\w./+-]+\.\w+)(?::(?P<line>\d+))?")
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(slots=True)
class Helm:
    """A craft for ChartTemplate. `program` is helm's path, or its name to be looked for on PATH."""

    program: str = "helm"
    _known: dict[tuple[str, int, int], str] = field(default_factory=dict)  # by path, size and time: why it won't do

    async def __call__(self, need: ChartTemplate) -> bytes:
        """Template a chart. Raises Invalid for a chart that is wrong, Unequipped where there is no fit helm."""
        path = await self._path(need)
        with scratch("helm", in_memory=True) as folder:
            argv = _written(need, folder, path)
            times = 2 if is_fickle(need) else 1
            done = await asyncio.gather(*(_run(argv, folder / f"home-{number}") for number in range(times)))
            for one in done:
                if one.returncode:
                    raise Invalid([_problem(need, one, folder)])
        if done[0].stdout != done[-1].stdout:
            raise Invalid(_differences(need, done[0].stdout, done[-1].stdout))
        return done[0].stdout

    async def _path(self, need: ChartTemplate) -> str:
        path = shutil.which(self.program)
        if path is None:
            raise Unequipped(
                f"{need.where}: a Helm chart, and there is no {self.program} on PATH. "
                f"Install helm {OLDEST[0]}.{OLDEST[1]} or later, or name it in CONVERGE_HELM"
            )
        stat = os.stat(path)  # noqa: PTH116  one look, at a local file
        mark = (path, stat.st_size, stat.st_mtime_ns)
        if mark not in self._known:
            self._known[mark] = await _objection(path)
        if self._known[mark]:
            raise Unequipped(f"{need.where}: {self._known[mark]}")
        return path


async def _objection(path: str) -> str:
    """Say why a program is not the helm that we need; "" where it is."""
    with scratch("helm") as folder:
        done = await _run([path, "version", "--template", "{{.Version}}"], folder)
    found = _VERSION.match(done.stdout.decode(errors="replace").strip())
    if done.returncode or found is None:
        return f"{path} does not say which version of helm it is: {done.error_text[-200:]}"
    version = (int(found[1]), int(found[2]))
    oldest = f"{OLDEST[0]}.{OLDEST[1]}"
    return "" if version >= OLDEST else f"{path} is helm {found[0]}, and {oldest} is the oldest that will do"


async def _run(argv: list[str], home: Path) -> Completed:
    nowhere = "http://127.0.0.1:9"  # a schema that refers to the network: it gets no answer
    extra = {
        "HOME": str(home),
        "HELM_CACHE_HOME": str(home),
        "HELM_CONFIG_HOME": str(home),
        "HELM_DATA_HOME": str(home),
        "HELM_PLUGINS": str(home),
        "KUBECONFIG": str(home / "none"),
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "NO_PROXY": "",
        "no_proxy": "",
        "TZ": "UTC",
    }
    return await run(
        argv,
        cwd=home.parent if home.name.startswith("home-") else home,
        env=bare_environment(extra),
        deadline_seconds=DEADLINE_SECONDS,
        memory_limit_bytes=MEMORY_BYTES,
    )


def _written(need: ChartTemplate, folder: Path, program: str) -> list[str]:
    """Write the chart and its values, and say how helm is called."""
    chart = folder / "chart"
    _write_files(str(chart), need.files)
    argv = [program, "template", "--namespace", need.namespace, "--skip-tests"]
    if need.include_crds:
        argv.append("--include-crds")
    if need.kube_version:
        argv += ["--kube-version", need.kube_version]
    for version in need.api_versions:
        argv += ["--api-versions", version]
    for number, (_, data) in enumerate(need.values):
        values = folder / f"values-{number}.yaml"
        values.write_bytes(data)
        argv += ["--values", str(values)]
    return [*argv, "--", need.release, str(chart)]


def _write_files(folder: str, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a chart's files; by bare calls, since a large chart's would take longer than all else that we do."""
    made: set[str] = set()
    for path, data in files:
        place = f"{folder}/{path}"
        parent = place.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            made.add(parent)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)


def is_fickle(need: ChartTemplate) -> bool:
    """Tell whether a chart may come out otherwise the next time. Of a packed dependency that is not known."""
    return any(
        path.endswith(".tgz") or ("templates/" in path and not path.endswith(".txt") and _FICKLE.search(data))
        for path, data in need.files
    )


def _problem(need: ChartTemplate, done: Completed, folder: Path) -> Problem:
    """Say what helm says, at the place that it names last: the innermost one."""
    text = _spoken(done.error_text, need, folder)
    found = list(_PLACE.finditer(text))
    if done.returncode < 0:
        return Problem(need.where, f"helm was ended by signal {-done.returncode}: the chart takes more than it may")
    found.reverse()
    for one in sorted(found, key=lambda one: not one["line"]):
        inside = one["file"].partition("/")[2]
        if any(path == inside for path, _ in need.files):
            return Problem(Position(need.place(inside), int(one["line"] or 0)), text)
    for name, _ in need.values:
        if f" {name}:" in text:
            return Problem(Position(name), text)
    return Problem(need.where, text)


def _spoken(text: str, need: ChartTemplate, folder: Path) -> str:
    """Give what helm said without our folders, its log lines and its hints about flags of its own."""
    for number, (name, _) in enumerate(need.values):
        text = text.replace(str(folder / f"values-{number}.yaml"), name)
    text = text.replace(f"{folder / 'chart'}/", f"{need.path}/" if need.path else "").replace(str(folder), "")
    noise = ("Use --debug", "level=", "time=")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(noise)]
    start = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), 0)
    return "\n".join(lines[start:]).removeprefix("Error: ").strip() or "helm failed, and did not say why"


def _differences(need: ChartTemplate, one: bytes, other: bytes) -> Iterator[Problem]:
    """Name the templates that came out otherwise the second time."""
    first, second = _by_template(one), _by_template(other)
    for source in sorted({*first, *second}):
        if first.get(source) != second.get(source):
            inside = source.partition("/")[2]
            line = _line_of_fickle(need, inside)
            yield Problem(
                Position(need.place(inside), line),
                "this template comes out otherwise every time, so that it would never be at rest",
                advice="Give it the value that it makes up (a password, a certificate, a time), or an existing Secret",
            )


def _line_of_fickle(need: ChartTemplate, inside: str) -> int:
    data = next((data for path, data in need.files if path == inside), b"")
    found = _FICKLE.search(data)
    return data.count(b"\n", 0, found.end()) + 1 if found else 0


def _by_template(output: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for part in re.split(rb"^---\r?\n", output, flags=re.MULTILINE):
        head, _, rest = part.partition(b"\n")
        name = head.removeprefix(b"# Source: ").decode(errors="replace").strip()
        found.setdefault(name, []).append(rest)
    return found
