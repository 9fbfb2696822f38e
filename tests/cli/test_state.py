"""`converge state`: a state moves into git and out of it again, and back where somebody broke it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.sandbox import GitHost
from tests.fixtures.processes import Converge
from tests.fixtures.states import BRANCH, Keys

pytestmark = pytest.mark.slow

FILE = "states/prod/shop/cloud.age"
# As terraform writes one; a parser would keep fewer digits of the number.
STATE = (
    b'{\n  "version": 4,\n  "serial": 4,\n  "lineage": "one",\n'
    b'  "outputs": {"serial": {"value": 1.00000000000000000001}},\n  "resources": []\n}\n'
)


@dataclass
class Scene:
    host: GitHost
    folder: Path
    keys: Keys = field(default_factory=Keys)

    async def begin(self) -> None:
        self.keys.write(self.folder / "credentials")
        platform: dict[str, Any] = {
            "apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "acme"},
            "spec": {"installation": "3c9e0f0a-6d0e"},
        }  # fmt: skip
        kept = {"credentials": "states", "recipients": list(self.keys.recipients)}
        environment: dict[str, Any] = {
            "apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "prod"},
            "spec": {"targets": {"cloud": {"terraform": {"stateInGit": kept}}, "home": {"kubernetes": {}}}},
        }  # fmt: skip
        files = {"converge.yaml": platform, "environments/prod.yaml": environment}
        await self.host.create("platform", {name: yaml.safe_dump(one).encode() for name, one in files.items()})

    async def state(self, *words: str) -> tuple[int, str]:
        """Run a command; give its exit code and all that it said."""
        log = self.folder / "said"
        log.unlink(missing_ok=True)
        process = await Converge.start(
            "state", words[0], "--platform", self.host.url("platform"),
            "--credentials", str(self.folder / "credentials"), "--cache", str(self.folder / "cache"), *words[1:],
            log=log,
        )  # fmt: skip
        return await process.ended(), log.read_text()


@pytest.fixture
async def scene(git_host: GitHost, tmp_path: Path) -> Scene:
    (tmp_path / "state").write_bytes(STATE)
    scene = Scene(git_host, tmp_path)
    await scene.begin()
    return scene


async def test_a_state_moves_in_and_out_unchanged(scene: Scene) -> None:
    status, said = await scene.state("push", "prod/shop@cloud", str(scene.folder / "state"))
    assert status == 0, said
    assert await scene.state("pull", "prod/shop@cloud") == (0, STATE.decode())
    assert scene.keys.plain(await scene.host.read("platform", FILE, branch=BRANCH)) == STATE


async def test_pushed_again_nothing_but_its_serial_is_raised(scene: Scene) -> None:
    for _ in range(2):
        assert (await scene.state("push", "prod/shop@cloud", str(scene.folder / "state")))[0] == 0
    assert (await scene.state("pull", "prod/shop@cloud"))[1] == STATE.decode().replace('"serial": 4', '"serial": 5')


async def test_a_broken_state_is_replaced_only_above_a_serial_that_a_person_names(scene: Scene) -> None:
    words = ("push", "prod/shop@cloud", str(scene.folder / "state"))
    assert (await scene.state(*words))[0] == 0
    await scene.host.commit("platform", {FILE: b"broken"}, branch=BRANCH)
    status, said = await scene.state(*words)
    assert (status, "--above" in said) == (1, True)
    assert (await scene.state(*words, "--above", "9"))[0] == 0
    assert json.loads(scene.keys.plain(await scene.host.read("platform", FILE, branch=BRANCH)))["serial"] == 10


@pytest.mark.parametrize("placement", ["prod/shop", "shop@cloud", "prod/shop@home", "prod/shop@nowhere", "dev/a@cloud"])
async def test_a_placement_without_such_a_state_is_refused_by_its_name(scene: Scene, placement: str) -> None:
    status, said = await scene.state("pull", placement)
    assert (status, placement in said) == (1, True)


async def test_what_is_no_state_is_not_kept(scene: Scene) -> None:
    (scene.folder / "state").write_text("{}")
    status, _ = await scene.state("push", "prod/shop@cloud", str(scene.folder / "state"))
    assert status == 1
    assert BRANCH not in await scene.host.branches("platform")
