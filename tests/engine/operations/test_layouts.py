"""Odd names and layouts, in real git: an operation changes its lines alone, to the byte, or says why it does not."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine.operations.approving import Approve
from controller.engine.operations.cloning import CloneEnvironment
from controller.engine.operations.operation import Operation, OperationChange, edited
from controller.engine.operations.overlays import parse_image
from controller.engine.operations.promoting import Promote
from controller.engine.operations.rolling_back import RollBack
from controller.engine.operations.setting import SetImage, SetReplicas
from controller.engine.operations.suspending import Resume, Suspend
from controller.git import BranchFiles, Mirrors
from controller.git.changes import Overlay
from controller.model import PLATFORM, CommitId, ConvergeError, Digest, EnvironmentName, GroupRef
from controller.runtime import CredentialStore
from tests.engine.operations.make import FILES, group

TABLE = yaml.safe_load((Path(__file__).parent / "cases" / "layouts.yaml").read_text())
TO, FROM = CommitId("a" * 40), CommitId("b" * 40)
NOT_OPERATIONS = {"name", "files", "without", "links", "of"}
ROWS = [(one, what) for one in TABLE for what in one if what not in NOT_OPERATIONS]


def operation(name: str, of: GroupRef) -> Operation:
    dev = GroupRef(EnvironmentName("dev"), of.application)
    made: dict[str, Operation] = {
        "suspend": Suspend(of),
        "resume": Resume(of),
        "roll back": RollBack(of, TO, FROM),
        "promote": Promote(dev, of.environment, revision="v9"),
        "set an image": SetImage(of, parse_image("web=9")),
        "set replicas": SetReplicas(of, "web", 9),
        "approve": Approve(
            group=of, plans=(Digest("sha256:new"),), by="Li <li@x>", now=datetime(2026, 11, 21, tzinfo=UTC)
        ),
        "clone": CloneEnvironment(of.environment, EnvironmentName("test"), {"": "test"}, permits=True),
    }
    return made[name]


def laid_out(row: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Commit a platform as a row has it; give its files."""
    without = {*row.get("without", ())}
    files = {path: data for path, data in FILES.items() if path not in without}
    if any(path.startswith("overlays/prod/shop/") for path in row.get("files", {})):
        files.pop("overlays/prod/shop/kustomization.yml", None)
    files["overlays/dev/shop/kustomization.yaml"] = b"images: []\n"
    files |= {path: text.encode() for path, text in row.get("files", {}).items()}
    work = folder / "work"
    for path, data in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    for path, to in row.get("links", {}).items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).symlink_to(to)
    who = ("-c", "user.name=Li", "-c", "user.email=li@example.com", "-c", "core.autocrlf=false")
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "Lay it out"]):
        subprocess.run(["git", *arguments], cwd=work, check=True)
    return files


@pytest.mark.parametrize(("row", "what"), ROWS, ids=[f"{row['name']}: {what}" for row, what in ROWS])
async def test_an_operation_changes_its_lines_to_the_byte_or_says_why_not(
    row: Mapping[str, Any], what: str, tmp_path: Path
) -> None:
    before = laid_out(row, tmp_path)
    mirror = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path)).mirror(str(tmp_path / "work"))
    head = (await mirror.refs(["refs/heads/main"]))["refs/heads/main"]
    tree = await mirror.tree(head, repository=PLATFORM)
    does = operation(what, group(row.get("of", "prod/shop")))
    wanted = row[what]
    if isinstance(wanted, str):
        with pytest.raises(ConvergeError) as told:
            await mirror.compute(lambda: edited(does, tree))
        assert wanted in str(told.value)
        with pytest.raises(ConvergeError):
            await mirror.compute(lambda: OperationChange(does).derive(Overlay(BranchFiles(tree))))
        return
    after = await mirror.compute(lambda: edited(does, tree))
    assert await mirror.compute(lambda: OperationChange(does).derive(Overlay(BranchFiles(tree)))) == after
    found = {path: list(lines(before.get(path, b""), data)) for path, data in after.items()}
    assert found == {
        path: [line.replace(": TO", f": {TO}").replace(": FROM", f": {FROM}") for line in some]
        for path, some in wanted.items()
    }


def lines(old: bytes, new: bytes) -> list[str]:
    """Give the lines that went and came, with their ends."""
    both = [one.decode().replace("\n", "\n\0").split("\0") for one in (old, new)]
    diff = difflib.unified_diff(*([line for line in some if line] for some in both), n=0)
    return [line for line in list(diff)[2:] if line[0] in "-+"]
