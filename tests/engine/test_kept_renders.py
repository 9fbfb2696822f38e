"""A render that a process kept is what the next one would make of the same commits; else it is not found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.fleet import Entry
from controller.engine.kept_renders import FORMAT, KeptRenders
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.git import CommitInfo
from controller.model import PLATFORM, CommitId, MemoryTree, RepositoryName
from controller.runtime import Shelf, SystemClock
from tests.engine.test_rendering import APPS, entry, placement
from tests.fixtures.loop import config_map, dump

COMPONENT = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: p-\n"
SECRET = dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "canary"}})
HERE = placement("shop")

APPLICATION = st.fixed_dictionaries(
    {"deploy/a.yaml": st.sampled_from(["1", "2"]).map(lambda one: config_map("a", x=one))},
    optional={
        "deploy/b.yaml": st.sampled_from([config_map("b"), b"kind: ["]),
        "deploy/kustomization.yaml": st.sampled_from([b"resources: [a.yaml]\n", b"resources: [a.yaml, b.yaml]\n"]),
        "deploy/secret.yaml": st.just(SECRET),
        "README.md": st.sampled_from([b"1", b"2"]),
    },
)
OVERLAYS = st.fixed_dictionaries(
    {"converge.yaml": st.just(b"{}")},
    optional={f"overlays/prod{one}/kustomization.yaml": st.just(COMPONENT) for one in ("", "/shop", "/shop/hz")},
)
ENTRIES = st.builds(
    lambda namespace, colour: changed(entry("shop", "deploy"), namespace, colour),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["red", 1, "1", True]),
)


def changed(one: Entry, namespace: str, colour: str | int) -> Entry:
    return replace(one, application=replace(one.application, namespace=namespace, parameters={"colour": colour}))


def checkout(name: RepositoryName, files: Mapping[str, bytes], commit: str) -> Checkout:
    now = SystemClock().now()
    info = CommitInfo(
        commit=CommitId(commit * 40), tree="", parents=(), author="", email="", authored=now, committed=now,
        subject="", message="",
    )  # fmt: skip
    return Checkout(name, "main", info.commit, MemoryTree(files, name, info.commit), info)


async def rendered(renderer: Renderer, one: Entry, apps: Checkout, platform: Checkout) -> object:
    try:
        return await renderer.rendered(HERE, one, apps, platform)
    except Exception as error:  # noqa: BLE001  whatever a render comes to is compared
        return (type(error), str(error))


@given(before=st.tuples(ENTRIES, APPLICATION, OVERLAYS), after=st.tuples(ENTRIES, APPLICATION, OVERLAYS))
async def test_a_renderer_that_finds_what_another_kept_gives_what_one_without_it_gives(
    tmp_path_factory: pytest.TempPathFactory,
    before: tuple[Entry, dict[str, bytes], dict[str, bytes]],
    after: tuple[Entry, dict[str, bytes], dict[str, bytes]],
) -> None:
    path = tmp_path_factory.mktemp("kept") / "renders.db"
    for number, (one, apps, platform) in enumerate((before, after, after)):
        commits = (checkout(APPS, apps, str(number)), checkout(PLATFORM, platform, str(number)))
        shelf = Shelf(path, FORMAT)
        renderer = Renderer(kept=KeptRenders(shelf))
        found = await rendered(renderer, one, *commits)
        assert found == await rendered(Renderer(), one, *commits)
        is_known = number == 2 and not isinstance(found, tuple) and "deploy/secret.yaml" not in str(found)
        assert renderer.renders == (0 if is_known else renderer.renders)
        shelf.close()


async def test_nothing_of_a_render_with_a_secret_is_on_disk(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "renders.db", FORMAT)
    apps = checkout(APPS, {"deploy/secret.yaml": SECRET}, "a")
    platform = checkout(PLATFORM, {"converge.yaml": b"{}"}, "b")
    await Renderer(kept=KeptRenders(shelf)).rendered(HERE, entry("shop", "deploy"), apps, platform)
    shelf.close()
    assert b"canary" not in b"".join(await asyncio.to_thread(lambda: [one.read_bytes() for one in tmp_path.iterdir()]))
    shelf = Shelf(tmp_path / "renders.db", FORMAT)
    again = Renderer(kept=KeptRenders(shelf))
    await again.rendered(HERE, entry("shop", "deploy"), apps, platform)
    assert again.renders == 1
    shelf.close()
