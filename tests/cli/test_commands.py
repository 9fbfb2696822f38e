"""The commands as a person calls them: what they print, and the numbers they end with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from controller.runtime import Completed, bare_environment, run
from controller.sandbox import GitHost
from tests.fixtures.loop import config_map, dump

pytestmark = pytest.mark.slow


async def converge(cwd: Path, *arguments: str) -> Completed:
    return await run(
        (sys.executable, "-m", "controller.cli", *arguments),
        cwd=cwd,
        env=bare_environment({"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(cwd)}),
        deadline_seconds=60,
    )


def platform(url: str, **entry: object) -> dict[str, bytes]:
    converge_yaml = {
        "apiVersion": "converge/v1",
        "kind": "Platform",
        "metadata": {"name": "acme"},
        "spec": {"installation": "3c9e0f0a-test", "repositories": {"shop": {"url": url}}},
    }
    dev = {
        "apiVersion": "converge/v1",
        "kind": "Environment",
        "metadata": {"name": "dev"},
        "spec": {
            "targets": {"home": {"kubernetes": {}}},
            "applications": {"shop": {"repository": "shop", "path": "deploy", "namespace": "shop", **entry}},
        },
    }
    return {"converge.yaml": dump(converge_yaml), "environments/dev.yaml": dump(dev)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


async def test_a_new_platform_validates(tmp_path: Path) -> None:
    assert (await converge(tmp_path, "init", "p")).returncode == 0
    checked = await converge(tmp_path, "validate", "p")
    assert (checked.returncode, checked.stdout) == (0, b"valid\n")


async def test_init_overwrites_nothing(tmp_path: Path) -> None:
    await converge(tmp_path, "init", "p")
    before = (tmp_path / "p" / "converge.yaml").read_bytes()
    assert (await converge(tmp_path, "init", "p")).returncode == 2
    assert (tmp_path / "p" / "converge.yaml").read_bytes() == before


async def test_validate_tells_every_problem_of_the_files_and_of_what_they_name(
    tmp_path: Path, git_host: GitHost
) -> None:
    await git_host.create("shop", {"deploy/a.yaml": config_map("a") + b"---\n" + config_map("a")})
    folder = write(tmp_path / "p", platform(git_host.url("shop")))
    found = await converge(tmp_path, "validate", str(folder), "--output", "json")
    assert found.returncode == 1
    (problem,) = json.loads(found.stdout)["problems"]
    assert problem["path"] == "deploy/a.yaml"
    write(folder, platform(git_host.url("shop"), dependsOn=["db"], pat="x"))
    found = await converge(tmp_path, "validate", str(folder))
    text = found.stdout.decode()
    assert "environments/dev.yaml:" in text
    assert "pat" in text
    assert "path" in text  # the nearest name
    assert "db" in text


async def test_render_prints_the_objects_and_hides_secret_values(tmp_path: Path, git_host: GitHost) -> None:
    secret = dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"p": "canary"}})
    await git_host.create("shop", {"deploy/a.yaml": config_map("a", x="1") + b"---\n" + secret})
    await git_host.create("platform", platform(git_host.url("shop")))
    options = ("--platform", git_host.url("platform"), "--cache", str(tmp_path / "cache"))
    shown = await converge(tmp_path, "render", "dev/shop", *options)
    assert shown.returncode == 0
    assert b"kind: ConfigMap" in shown.stdout
    assert "•••" in shown.stdout.decode()
    assert b"canary" not in shown.stdout
    told = await converge(tmp_path, "render", "dev/shop", "--show-secrets", *options)
    assert b"Y2FuYXJ5" in told.stdout


async def test_an_unknown_application_is_named_with_those_that_there_are(tmp_path: Path, git_host: GitHost) -> None:
    await git_host.create("shop", {"deploy/a.yaml": config_map("a")})
    await git_host.create("platform", platform(git_host.url("shop")))
    failed = await converge(tmp_path, "render", "dev/shp", "--platform", git_host.url("platform"))
    assert failed.returncode == 1
    assert "dev/shop" in failed.error_text


@pytest.mark.parametrize("arguments", [("render",), ("plan", "--output", "xml"), ("nonsense",)])
async def test_misuse_ends_with_two(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert (await converge(tmp_path, *arguments)).returncode == 2


async def test_a_platform_that_is_away_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    failed = await converge(tmp_path, "plan", "--platform", str(tmp_path / "nowhere"))
    assert failed.returncode == 1
    assert "Traceback" not in failed.error_text
    assert "nowhere" in failed.error_text


async def test_status_before_any_record_says_what_writes_it(tmp_path: Path, git_host: GitHost) -> None:
    await git_host.create("shop", {"deploy/a.yaml": config_map("a")})
    await git_host.create("platform", platform(git_host.url("shop")))
    failed = await converge(tmp_path, "status", "--platform", git_host.url("platform"))
    assert failed.returncode == 1
    assert "nothing is recorded yet" in failed.error_text


async def test_validate_warns_of_what_is_seldom_meant(tmp_path: Path, git_host: GitHost) -> None:
    config = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {day: 2024-01-15}}\n"
    await git_host.create("shop", {"deploy/a.yaml": config})
    component = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: [{name: x, newTag: '2'}]\n"
    files = {**platform(git_host.url("shop")), "overlays/dev/kustomization.yaml": component}
    folder = write(tmp_path / "p", files)
    found = await converge(tmp_path, "validate", str(folder), "--output", "json")
    assert found.returncode == 0, found.stdout
    warnings = json.loads(found.stdout)["warnings"]
    told = [(one["path"], one["line"]) for one in warnings]
    assert ("deploy/a.yaml", 3) in told  # the date
    assert ("overlays/dev/kustomization.yaml", 3) in told  # an image that nothing runs
