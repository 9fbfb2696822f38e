"""How far an application's files may reach: never less far than a render of them does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from controller.engine.reach import Reaches
from controller.model import ConvergeError, MemoryTree, RepositoryName
from controller.render import build
from controller.render.tracking import TrackedTree
from controller.runtime import DirectoryTree
from tests.render.generated import Maker

TREES: dict[str, tuple[dict[str, bytes], str, str | None]] = {
    "a directory of its own": ({"a/x.yaml": b"a: 1"}, "a", "a"),
    "a base beside it": ({"a/over/k.yaml": b"resources: [../base]", "a/base/x.yaml": b""}, "a/over", "a"),
    "a base whose base is further up": (
        {"a/b/over/k.yaml": b"- ../base", "a/b/base/k.yaml": b"- ../../c", "a/c/x.yaml": b""},
        "a/b/over",
        "a",
    ),
    "a base two directories up and down": ({"a/b/over/k.yaml": b"- ../../b/base"}, "a/b/over", "a"),
    "a way up that is taken twice": ({"r/a/b/over/k.yaml": b"- ../../b/../c"}, "r/a/b/over", "r"),
    "dots that are none of a path": ({"r/a/x.yaml": b"text: and so on..."}, "r/a", "r"),
    "a file in a directory below leads up to its own": ({"r/a/b/k.yaml": b"- ../x.yaml"}, "r/a", "r/a"),
    "up to the root, where everything is": ({"a/k.yaml": b"- ../../../b"}, "a", ""),
    "an escape may spell dots": ({"a/k.yaml": b'- "\\x2e\\x2e/b"'}, "a", None),
    "a parameter may bring dots": ({"a/k.yaml": b"# converge: parameters\n- ${base}"}, "a", None),
    "an Application names folders from the root": ({"a/x.yaml": b"apiVersion: core.oam.dev/v1beta1"}, "a", None),
    "a chart": ({"a/Chart.yaml": b"name: a"}, "a", None),
    "a module": ({"a/main.tf": b""}, "a", None),
    "a file is no directory": ({"a/x.yaml": b""}, "a/x.yaml", None),
    "nothing": ({"a/x.yaml": b""}, "b", None),
}


@pytest.mark.parametrize("case", TREES)
def test_a_scope_is_the_smallest_directory_that_no_file_leads_out_of(case: str) -> None:
    files, path, scope = TREES[case]
    assert Reaches(MemoryTree(files)).scope_of(path) == scope


def test_a_link_may_lead_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b.yaml").write_text("a: 1")
    (tmp_path / "a/link.yaml").symlink_to("../b.yaml")
    assert Reaches(DirectoryTree(tmp_path, RepositoryName("disk"))).scope_of("a") is None


def test_a_render_reads_nothing_out_of_reach(tmp_path: Path, seed: int) -> None:
    judged = 0
    tree = DirectoryTree(tmp_path, RepositoryName("disk"))
    for one in range(seed, seed + 60):
        folder = tmp_path / str(one)
        files = Maker(one).make()
        root = files.pop("root")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        path = f"{one}/{root}"
        scope = Reaches(tree).scope_of(path)
        if scope is None:
            continue
        judged += scope != ""
        tracked = TrackedTree(tree)
        with suppress(ConvergeError):
            build(tracked, path)
        assert all(not scope or f"{read.path}/".startswith(f"{scope}/") for read in tracked.reads())
    assert judged
