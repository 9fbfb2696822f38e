"""What an export is told of: what changed between two commits of the records branch, and what is there no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

from controller.engine.exporting.reading import Reading
from controller.git import Mirror, Mirrors
from controller.model import CommitId, Export
from controller.runtime import CredentialStore
from tests.engine.make import WHERE
from tests.records.facts import HANGZHOU, Branch, moved, report

WEB = "prod/shop/hangzhou/shop/Deployment.apps/web"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Li", "-c", "user.email=li@example.com")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def committed(work: Path, *, is_anew: bool = False) -> CommitId:
    git(work, *(["checkout", "-q", "--orphan", "anew"] if is_anew else []), *([] if is_anew else ["status"]))
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "Tell")
    git(work, "update-ref", "refs/heads/status", "HEAD")
    return CommitId(git(work, "rev-parse", "HEAD").strip())


async def refreshed(reading: Reading, mirror: Mirror, commit: CommitId) -> dict[str, bool]:
    await mirror.refs(["refs/heads/*"])
    return {key: one.is_retired for key, one in (await reading.refresh(mirror, commit)).items()}


async def test_a_record_that_is_there_no_more_reads_as_retired_once(tmp_path: Path) -> None:
    branch, work = Branch(), tmp_path / "work"
    branch.record(moved(report(HANGZHOU)))
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    for path, data in branch.files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    mirror = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path)).mirror(str(work))
    reading = Reading(Export(name="cmdb", exporter="easyops", url="http://localhost", origin=WHERE))
    told = await refreshed(reading, mirror, committed(work))
    assert not any(told.values())

    (web,) = work.glob("cmdb/**/Deployment.apps/web.yaml")
    web.unlink()
    assert await refreshed(reading, mirror, committed(work)) == {WEB: True}
    (work / "README.md").write_text("more")
    assert await refreshed(reading, mirror, committed(work)) == {}
    assert WEB not in {one.key for one in reading.instances()}

    (service,) = work.glob("cmdb/**/Service/web.yaml")
    service.unlink()
    assert list((await refreshed(reading, mirror, committed(work, is_anew=True))).items()) == [
        ("prod/shop/hangzhou/shop/Service/web", True)
    ]
