"""The example repositories render, with what they bring along."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.age import AgeKey
from tests.fixtures.sops import Encryption
from tests.render.test_encrypted import House, bodies

EXAMPLES = Path(__file__).parents[2] / "examples"


def files_of(folder: Path, prefix: str = "") -> dict[str, bytes]:
    files = (one for one in sorted(folder.rglob("*")) if one.is_file())
    return {prefix + one.relative_to(folder).as_posix(): one.read_bytes() for one in files}


@pytest.mark.sops
def test_the_portal_renders_by_the_platforms_types_and_its_own_key(sops: Encryption, tmp_path: Path) -> None:
    house = House(sops, AgeKey(), tmp_path)
    (tmp_path / "sops").mkdir()
    (tmp_path / "sops" / "age.key").write_bytes((EXAMPLES / "portal" / "demo.age.key").read_bytes())
    platform = {"converge.yaml": b"", **files_of(EXAMPLES / "types", "types/")}
    found = house.rendered(files_of(EXAMPLES / "portal"), platform)
    assert sorted(bodies(found)) == [
        "CronJob digest", "Deployment portal", "Secret mail", "Service portal", "Service sessions",
        "StatefulSet sessions",
    ]  # fmt: skip
    assert found.warnings == ()
