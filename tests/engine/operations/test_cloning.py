"""A new environment out of another one: everything of it, under its own name, and suspended."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.config import read_platform
from controller.engine.operations import CloneEnvironment, EditedTree, edited, mentions
from controller.model import EnvironmentName, MemoryTree, Stalled
from tests.engine.operations.make import FILES

ROOT = Path(__file__).parents[3]
PROD, EU = EnvironmentName("prod"), EnvironmentName("prod-eu")


def reference() -> MemoryTree:
    folders = [ROOT / "environments", ROOT / "overlays"]
    paths = [ROOT / "converge.yaml", *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    return MemoryTree({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths})


def test_the_new_environment_has_all_of_the_old_one_and_is_suspended() -> None:
    tree = reference()
    files = edited(CloneEnvironment(PROD, EU, "prod-fra"), tree)
    platform = read_platform(EditedTree(tree, files))
    old, new = platform.environments[PROD], platform.environments[EU]
    assert set(new.applications) == set(old.applications)
    assert new.suspend
    assert not old.suspend
    assert [target.context for target in new.targets.values()] == ["prod-fra"]  # type: ignore[union-attr]
    assert new.sync == old.sync
    assert [str(one) for one in new.applications["billing"].depends_on] == ["prod-eu/shop"]  # type: ignore[index]
    overlay = "overlays/{}/shop/kustomization.yaml"
    assert files[overlay.format("prod-eu")] == tree.read(overlay.format("prod"))
    assert all("prod-eu" in path for path in files)


def test_comments_stay_and_what_still_speaks_of_the_old_one_is_named() -> None:
    tree = reference()
    files = edited(CloneEnvironment(PROD, EU), tree)
    assert b"# What customers use." in files["environments/prod-eu.yaml"]
    assert "overlays/prod-eu/kustomization.yaml:7" in mentions(files, PROD)


def test_an_environment_of_several_files_is_copied_file_by_file() -> None:
    files = {path: data for path, data in FILES.items() if path != "environments/prod.yaml"}
    data = FILES["environments/prod.yaml"]
    tree = MemoryTree({**files, "environments/prod/all.yaml": data})
    assert "environments/prod-eu/all.yaml" in edited(CloneEnvironment(PROD, EU), tree)


def test_an_environment_that_is_there_is_not_overwritten() -> None:
    with pytest.raises(Stalled, match="dev is there already"):
        edited(CloneEnvironment(PROD, EnvironmentName("dev")), reference())
    with pytest.raises(Stalled, match="no environment nowhere"):
        edited(CloneEnvironment(EnvironmentName("nowhere"), EU), reference())
