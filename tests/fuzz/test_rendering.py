"""Spoilt applications, in memory and on a disk with links that lead out: built or refused, and nothing outside read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from controller.model import EntryKind, MemoryTree, RepositoryName, Stalled
from controller.render import RenderRequest, build, render
from controller.render.oam import render_application
from controller.runtime import DirectoryTree
from tests.render.generated import Maker
from tests.render.oam.applications import CASES
from tests.render.oam.compare import load
from tests.render.requests import request_of

from .conftest import Budget
from .running import fuzz
from .spoiling import soup, spoil, spoilt

PLANTED = "never-to-be-read-17c3"
OUTSIDE = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {PLANTED}}}\n"


class _Fenced(MemoryTree):
    """A tree that takes only the paths that the protocol allows: relative, without `.` and `..`."""

    def kind(self, path: str) -> EntryKind:
        _check(path)
        return super().kind(path)

    def read(self, path: str) -> bytes:
        _check(path)
        return super().read(path)

    def names(self, path: str) -> tuple[str, ...]:
        _check(path)
        return super().names(path)


def _check(path: str) -> None:
    assert not path or not {"", ".", ".."} & set(path.split("/")), f"asked for {path!r}"


def made(source: random.Random) -> tuple[dict[str, bytes], str]:
    """Give a generated kustomization with something wrong in it, and its root."""
    files = Maker(source.randrange(1 << 32)).make()
    root = files.pop("root")
    for _ in range(source.randint(0, 3)):
        name = source.choice(sorted(files))
        files[name] = spoilt(files[name], source)
    encoded = {name: text.encode(errors="surrogatepass") for name, text in files.items()}
    if source.random() < 0.05:
        encoded[source.choice(sorted(encoded))] = soup(source)
    return encoded, root


def test_spoilt_kustomizations_are_built_or_refused(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        files, root = made(source)
        build(_Fenced(files), root)
        return True

    fuzz(budget, attempt)


def test_spoilt_applications_are_rendered_or_refused(budget: Budget) -> None:
    def attempt(source: random.Random) -> bool:
        files, root = made(source)
        if source.random() < 0.4:  # plain YAML
            files = {name: data for name, data in files.items() if not name.endswith("kustomization.yaml")}
        overlays = {}
        if source.random() < 0.6:
            component, folder = made(source)
            head = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            for name, data in component.items():
                is_root = name == f"{folder}/kustomization.yaml"
                overlays[name.replace(f"{folder}/", "overlays/prod/shop/", 1)] = head + data if is_root else data
        request = request_of({}, {}, path=root, parameters={"A": "x", "N": 1}, namespace=source.choice(["", "shop"]))
        render(_with_trees(request, files, overlays))
        return True

    fuzz(budget, attempt)


def _with_trees(request: RenderRequest, files: Mapping[str, bytes], overlays: Mapping[str, bytes]) -> RenderRequest:
    application = _Fenced(files, request.application.repository, request.application.commit)
    platform = _Fenced(overlays, request.platform.repository, request.platform.commit)
    return replace(request, application=application, platform=platform)


def test_nothing_outside_of_a_tree_on_disk_is_read(budget: Budget, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.yaml").write_text(OUTSIDE)
    (tmp_path / "outside/kustomization.yaml").write_text("resources: [secret.yaml]\n")

    def attempt(source: random.Random) -> bool:
        root = tmp_path / "tree"
        files, start = made(source)
        try:
            _write(root, files, source)
            result = _built(root, start)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        assert PLANTED not in result
        return not result.startswith("refused")

    fuzz(budget, attempt)


def _write(root: Path, files: Mapping[str, bytes], source: random.Random) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folders = sorted({(root / name).parent for name in files})
    for folder in folders:
        (folder / "link").symlink_to("../../outside")
        (folder / "loop").symlink_to("loop")
    if source.random() < 0.5:
        victim = root / source.choice(sorted(files))
        victim.unlink()
        victim.symlink_to(source.choice(["../../outside/secret.yaml", "/etc/passwd", "loop", ".", "../base"]))


def _built(root: Path, start: str) -> str:
    try:
        return build(DirectoryTree(root, RepositoryName("disk")), start).decode()
    except Stalled as error:
        return f"refused: {error}"


def test_spoilt_oam_applications_are_rendered_or_refused(budget: Budget) -> None:
    files = sorted(CASES.glob("*/application.yaml"))

    def attempt(source: random.Random) -> bool:
        body = load(source.choice(files))[0]
        for _ in range(source.randint(1, 3)):
            spoil(body, source)
        render_application(body, by_steps=source.random() < 0.5)
        return True

    fuzz(budget, attempt)
