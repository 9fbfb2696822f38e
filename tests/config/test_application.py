from __future__ import annotations

from pathlib import Path

import pytest

from controller.config import read_application
from controller.model import ComponentType, Invalid, MemoryTree

HEAD = b"apiVersion: converge/v1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n"


def tree(components: bytes) -> MemoryTree:
    return MemoryTree({"deploy/converge.yaml": HEAD + components, "deploy/web/a.yaml": b"", "db/main.tf": b""})


def test_an_application_names_its_components() -> None:
    found = read_application(
        tree(b"  - {name: web, path: ./web, dependsOn: [db]}\n  - {name: db, path: web/../web, type: terraform}\n"),
        "deploy",
    )
    assert found
    web, db = found
    assert (web.path, web.type, web.depends_on, str(web.origin)) == (
        "deploy/web",
        None,
        ("db",),
        "deploy/converge.yaml:6",
    )
    assert db.type is ComponentType.TERRAFORM


def test_without_the_file_what_lies_there_decides() -> None:
    assert read_application(MemoryTree({"deploy/a.yaml": b""}), "deploy") is None
    assert read_application(MemoryTree({"a.yaml": b""}), "") is None


def test_every_mistake_of_components_is_told_at_once() -> None:
    wrong = b"""\
  - {name: web, path: wbe, dependsOn: [db, dbb]}
  - {name: db, path: web, dependsOn: [web]}
  - {name: db, path: ../../other}
  - {name: x, path: web, type: helmm}
"""
    with pytest.raises(Invalid) as caught:
        read_application(tree(wrong), "deploy")
    assert str(caught.value) == (Path(__file__).parent / "cases" / "components.txt").read_text().rstrip()


def test_components_that_wait_for_each_other_are_named() -> None:
    wrong = b"  - {name: a, path: web, dependsOn: [b]}\n  - {name: b, path: web, dependsOn: [a]}\n"
    with pytest.raises(Invalid, match="a → b → a"):
        read_application(tree(wrong), "deploy")
