"""Files that were spoilt, and trees with links: refused by name, never a crash, never a read outside."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from controller.model import Invalid, MemoryTree, Stalled
from controller.render import build
from tests.fuzz.spoiling import spoilt

from .disk import DirectoryTree
from .generated import Maker


def test_spoilt_kustomizations_are_built_or_refused(seed: int) -> None:
    for one in range(seed, seed + 60):
        source = random.Random(one)
        files = Maker(one).make()
        root = files.pop("root")
        for _ in range(source.randint(1, 3)):
            name = source.choice(sorted(files))
            files[name] = spoilt(files[name], source)
        try:
            build(MemoryTree({name: text.encode() for name, text in files.items()}), root)
        except Stalled:
            continue
        except Exception as error:
            raise AssertionError(f"seed {one}") from error


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.yaml").write_text(CONFIG)
    for name in ("tree/app", "tree/other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/other/a.yaml").write_text(CONFIG)
    (tmp_path / "tree/app/kustomization.yaml").write_text("resources: [link.yaml]\n")
    return tmp_path / "tree"


@pytest.mark.parametrize("target", ["../../outside/secret.yaml", "../other/a.yaml"])
def test_a_link_out_of_the_kustomization_is_refused(tree: Path, target: str) -> None:
    (tree / "app/link.yaml").symlink_to(target)
    with pytest.raises(Stalled) as caught:
        build(DirectoryTree(tree), "app")
    assert "ConfigMap" not in str(caught.value)


def test_a_link_within_the_kustomization_is_followed(tree: Path) -> None:
    (tree / "app/real.yaml").write_text(CONFIG)
    (tree / "app/link.yaml").symlink_to("real.yaml")
    assert build(DirectoryTree(tree), "app").startswith(b"apiVersion: v1\nkind: ConfigMap\n")


def test_a_linked_directory_is_a_cycle_where_it_leads_back(tree: Path) -> None:
    (tree / "app/kustomization.yaml").write_text("resources: [again]\n")
    (tree / "app/again").symlink_to("../app")
    with pytest.raises(Stalled, match="a cycle"):
        build(DirectoryTree(tree), "app")


LOSSES = [
    ("- {op: remove, path: /kind}\n", "kind"),
    ("- {op: remove, path: /metadata/name}\n", "metadata.name"),
    ("- {op: remove, path: /metadata}\n", "metadata.name"),
    ("- {op: copy, from: /metadata, path: /kind}\n", "kind"),
    ("- {op: replace, path: /metadata, value: text}\n", "metadata"),
]


@pytest.mark.parametrize("prefix", ["", "namePrefix: p-\n"])
@pytest.mark.parametrize(("operations", "lost"), LOSSES)
def test_a_patch_that_takes_away_what_every_object_has_is_refused(operations: str, lost: str, prefix: str) -> None:
    files = {
        "base/kustomization.yaml": "resources: [a.yaml]\nlabels: [{pairs: {a: b}}]\n",
        "base/a.yaml": CONFIG,
        "top/kustomization.yaml": f"{prefix}resources: [../base]\npatches: [{{path: p.yaml, target: {{name: a}}}}]\n",
        "top/p.yaml": operations,
    }
    with pytest.raises(Stalled) as caught:
        build(MemoryTree({name: text.encode() for name, text in files.items()}), "top")
    assert lost.rpartition(".")[2] in str(caught.value)


def test_a_component_that_gives_two_objects_one_id_is_refused() -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    patch = "patches: [{target: {name: b}, patch: '- {op: replace, path: /metadata/name, value: a}'}]\n"
    files = {
        "top/kustomization.yaml": "resources: [a.yaml, b.yaml]\ncomponents: [../one]\n",
        "top/a.yaml": CONFIG,
        "top/b.yaml": CONFIG.replace("name: a", "name: b"),
        "one/kustomization.yaml": component + patch,
    }
    with pytest.raises(Stalled, match="one id"):
        build(MemoryTree({name: text.encode() for name, text in files.items()}), "top")


@pytest.mark.parametrize("key", ["true", "1", "1.5", "null"])
def test_a_label_whose_key_reads_as_no_text_is_refused_once_labels_are_set(key: str) -> None:
    files = {
        "kustomization.yaml": "resources: [a.yaml]\nnamePrefix: p-\n",
        "a.yaml": CONFIG.replace("{name: a}", f'{{name: a, annotations: {{"{key}": x}}}}'),
    }
    with pytest.raises(Stalled, match="not a string"):
        build(MemoryTree({name: text.encode() for name, text in files.items()}), "")


REFUSED = [
    ("resources:\n- a.yaml\n- nowhere.yaml\n", 3, "nowhere.yaml"),
    ("resources: [a.yaml]\ncomponents:\n- ../none\n", 3, "../none"),
    ("resources: [a.yaml]\nimages:\n- {name: '['}\n", 3, ""),
    ("resources: [a.yaml]\nreplicas:\n- {name: a, count: 1}\n- {name: none, count: 1}\n", 3, ""),
    ("resources: [a.yaml]\npatches:\n- {target: {name: a}, patch: '- {op: remove, path: /spec}'}\n", 3, "/spec"),
    (
        "resources: [a.yaml]\npatches:\n- {target: {name: a}, patch: '- {op: add, path: /x}'}\n- path: none.yaml\n",
        4,
        "none",
    ),
    ("resources: [a.yaml]\nconfigMapGenerator:\n- name: x\n- name: z\n  files: [none.txt]\n", 4, "none.txt"),
    ("resources: [a.yaml]\nconfigMapGenerator:\n- name: x\n- name: y\n", 4, "a boolean, where text"),
    ("resources: [a.yaml]\nnonsense: 1\n", 2, "nonsense"),
    ("resources: [a.yaml]\nreplacements:\n- {source: {kind: X, name: z}, targets: [{select: {kind: Z}}]}\n", 3, "X"),
]


@pytest.mark.parametrize(("text", "line", "word"), REFUSED)
def test_a_refusal_names_the_line_of_the_entry(text: str, line: int, word: str) -> None:
    files = {"top/kustomization.yaml": text, "top/a.yaml": CONFIG}
    with pytest.raises(Invalid) as caught:
        build(MemoryTree({name: one.encode() for name, one in files.items()}), "top")
    (problem,) = caught.value.problems
    assert (problem.where.path, problem.where.line) == ("top/kustomization.yaml", line)
    assert word in problem.what


def test_a_directive_is_refused_as_kustomize_refuses_it() -> None:
    text = b"%YAML 1.1\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: '%A'}\n"
    files = {"a/kustomization.yaml": b"resources: [x.yaml]", "a/x.yaml": text}
    with pytest.raises(Stalled, match=r"x\.yaml:1: a YAML directive"):
        build(MemoryTree(files), "a")
    assert build(MemoryTree({**files, "a/x.yaml": text.partition(b"---\n")[2]}), "a")
