from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from controller.git import Entry, GitTree, Mirror, Mirrors
from controller.git.objects import parse_directory
from controller.model import EntryKind, RepositoryName, Stalled, Tree
from controller.sandbox import GitHost


def link(target: str) -> Entry:
    return Entry(target.encode(), "120000")


FILES = {
    "base/a.yaml": b"a",
    "base/deep/b.yaml": b"b",
    "overlays/prod/k.yaml": b"k",
    "to-file": link("base/a.yaml"),
    "to-folder": link("base"),
    "overlays/up": link("../base/deep"),
    "overlays/prod/again": link("../up/b.yaml"),
    "physical": link("overlays/up/../a.yaml"),  # the parent of where `up` leads, not of where it lies
    "dangling": link("base/nothing"),
    "absolute": link("/etc/passwd"),
    "outside": link("../../etc/passwd"),
    "sneaky": link("overlays/up/../../../x"),
    "loop-a": link("loop-b"),
    "loop-b": link("loop-a"),
    "self": link("self/x"),
    "module": Entry(b"1" * 40, "160000"),
    "big.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "run": Entry(b"#!/bin/sh\n", "100755"),
}


@pytest.fixture
async def tree(git_host: GitHost, mirrors: Mirrors) -> GitTree:
    commit = await git_host.create("shop", FILES)
    return await mirrors.mirror(git_host.url("shop")).tree(commit, repository=RepositoryName("shop"))


def test_files_and_folders_are_found(tree: GitTree) -> None:
    assert tree.kind("") is EntryKind.DIRECTORY
    assert tree.kind("base/deep") is EntryKind.DIRECTORY
    assert tree.kind("base/a.yaml") is EntryKind.FILE
    assert tree.kind("base/nothing") is EntryKind.ABSENT
    assert tree.kind("base/a.yaml/below") is EntryKind.ABSENT
    assert tree.names("base") == ("a.yaml", "deep")
    assert tree.names("base/a.yaml") == tree.names("nowhere") == ()
    assert tree.read("base/deep/b.yaml") == b"b"


def test_what_is_no_file_is_not_read(tree: GitTree) -> None:
    for path in ("", "base", "nowhere", "dangling"):
        with pytest.raises(KeyError):
            tree.read(path)


@pytest.mark.parametrize(
    ("path", "real", "content"),
    [
        ("to-file", "base/a.yaml", b"a"),
        ("to-folder/deep/b.yaml", "base/deep/b.yaml", b"b"),
        ("overlays/up/b.yaml", "base/deep/b.yaml", b"b"),
        ("overlays/prod/again", "base/deep/b.yaml", b"b"),
        ("physical", "base/a.yaml", b"a"),
    ],
)
def test_links_inside_the_tree_are_followed_as_a_file_system_would(
    tree: GitTree, path: str, real: str, content: bytes
) -> None:
    assert tree.read(path) == content
    assert tree.real_path(path) == real
    assert tree.digest(path) == tree.digest(real) != ""


def test_a_link_to_nothing_is_absent_and_keeps_its_path(tree: GitTree) -> None:
    assert tree.kind("dangling") is EntryKind.ABSENT
    assert tree.real_path("dangling") == "dangling"
    assert tree.digest("dangling") == ""


@pytest.mark.parametrize("path", ["absolute", "outside", "sneaky", "../x", "base/../../x"])
def test_what_leaves_the_tree_is_an_error_and_not_an_absence(tree: GitTree, path: str) -> None:
    for ask in (tree.read, tree.kind, tree.names, tree.real_path, tree.digest):
        with pytest.raises(Stalled, match="leaves the repository"):
            ask(path)


@pytest.mark.parametrize("path", ["loop-a", "self", "self/x/y"])
def test_a_circle_of_links_is_said(tree: GitTree, path: str) -> None:
    with pytest.raises(Stalled, match="in a circle"):
        tree.read(path)


def test_a_submodule_is_known_and_not_read(tree: GitTree) -> None:
    assert tree.kind("module") is EntryKind.SUBMODULE
    for ask in (tree.read, tree.names):
        with pytest.raises(Stalled, match=r"module: .*submodule"):
            ask("module")
    for ask in (tree.read, tree.names, tree.kind):
        with pytest.raises(Stalled, match=r"module/a.yaml: .*submodule"):
            ask("module/a.yaml")


def test_a_large_file_pointer_is_named(tree: GitTree) -> None:
    with pytest.raises(Stalled, match=r"big.bin: .*LFS pointer"):
        tree.read("big.bin")


def test_modes_are_git_s_own(tree: GitTree) -> None:
    assert [tree.mode(path) for path in ("run", "base/a.yaml", "base", "module", "nowhere")] == [
        "100755", "100644", "40000", "160000", "",
    ]  # fmt: skip


def test_a_deep_path_is_no_crash(tree: GitTree) -> None:
    assert tree.kind("a/" * 50_000 + "a") is EntryKind.ABSENT


def test_a_pickle_reads_in_another_process(tree: GitTree) -> None:
    assert len(pickle.dumps(tree)) < 1000
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(_read_there, tree).result() == (b"a", "shop", tree.commit)


def _read_there(tree: Tree) -> tuple[bytes, str, str]:
    return tree.read("base/a.yaml"), tree.repository, tree.commit


async def test_threads_may_share_a_tree(git_host: GitHost, mirrors: Mirrors) -> None:
    files = {f"{n}.yaml": b"%d" % n * 500 for n in range(300)}
    tree = await mirrors.mirror(git_host.url("many")).tree(await git_host.create("many", files))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tree.read, [*files] * 4)) == [*files.values()] * 4


async def test_everything_is_read_in_few_exchanges_and_then_from_memory(git_host: GitHost, mirrors: Mirrors) -> None:
    files = {f"d{n % 10}/{n}.yaml": b"%d" % n for n in range(1000)}
    mirror = mirrors.mirror(git_host.url("many"))
    tree = await mirror.tree(await git_host.create("many", files))
    tree.prefetch(["", "d1", "d1/1.yaml", "nowhere"])
    mirror.path.rename(mirror.path.with_name("elsewhere"))
    mirror.close()
    assert {path: tree.read(path) for path in files} == files


async def test_what_is_too_large_to_keep_is_still_read(git_host: GitHost, mirrors: Mirrors) -> None:
    noise = bytes(5 << 20)
    tree = await mirrors.mirror(git_host.url("big")).tree(await git_host.create("big", {"big": noise, "small": b"x"}))
    tree.prefetch()
    assert (tree.read("big"), tree.read("small")) == (noise, b"x")


async def test_differences_name_files_of_new_changed_and_lost_folders(git_host: GitHost, shop: Mirror) -> None:
    old = await git_host.commit("shop", {"same/x": b"1", "gone/x": b"1", "file": b"1", "turn": b"1", "run": b"1"})
    changes = {
        "gone/x": None,
        "new/x/y": b"2",
        "file": b"2",
        "turn": None,
        "turn/into": b"2",
        "run": Entry(b"1", "100755"),
    }
    new = await git_host.commit("shop", changes)
    expected = {"gone/x", "new/x/y", "file", "turn", "turn/into", "run"}
    assert await shop.changed_paths(old, new) == expected == await shop.changed_paths(new, old)
    assert await shop.changed_paths(new, new) == frozenset()


@pytest.mark.parametrize("size", [20, 32])
def test_a_folder_that_git_did_not_write_whole_is_none(size: int) -> None:
    """Less of it would pass for files that are gone."""
    first = b"100644 a b\0" + b"\0" * size
    whole = first + b"40000 \xff\0" + b"1" * size
    found = parse_directory(whole, id_bytes=size)
    assert {name: entry.mode for name, entry in found.items()} == {"a b": "100644", "\udcff": "40000"}
    assert found.entries() == list(found.values())
    for end in {*range(1, len(whole))} - {len(first)}:
        with pytest.raises(ValueError, match="not a tree"):
            parse_directory(whole[:end], id_bytes=size)
