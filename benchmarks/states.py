"""How fast the branch of states grows: bytes that an apply adds to the repository, packed as a host packs it.

Real applies of a module with so many resources, one of which changes each time. What is sealed differs from the version
before in every byte and can't be packed against it, so that every version takes what its compressed state takes.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.sandbox import GitHost
from tests.fixtures.states import Keys, keeping, kept
from tests.fixtures.terraform import make_cloud, make_mirror
from tests.targets.terraform.placing import REF, open_place, render

RESOURCES, APPLIES = 50, 8
THING = 'resource "fake_thing" "t{0}" {{\n  name = "t{0}"\n  body = "{1}"\n}}\n'


@dataclass(frozen=True, slots=True)
class Grown:
    """Bytes."""

    plain: int  # the last state, in the clear
    sealed: int  # its file on the branch
    per_apply: float  # of the packed repository
    resources: int
    applies: int


async def measure_states(resources: int = RESOURCES, applies: int = APPLIES) -> Grown:
    """Raises `tests.fixtures.terraform.Unavailable` where there is no terraform."""
    mirror = make_mirror()
    with TemporaryDirectory() as name:
        folder = Path(name)
        cloud, keys = make_cloud(mirror, folder), Keys()
        keys.write(folder / "one" / "credentials")
        async with GitHost(folder / "git") as host:
            await host.create("platform", {"converge.yaml": b""})
            async with (
                keeping(host, folder / "one") as states,
                open_place(cloud, folder / "one", keepers=states.at, backend=None, state_in_git=keys.said) as place,
            ):
                before = 0
                for number in range(applies + 1):
                    text = "".join(THING.format(one, number if one == 0 else "same") for one in range(resources))
                    applied = await place.converge(render({"infra/main.tf": cloud.module(text)}))
                    if applied.failure is not None:
                        raise applied.failure
                    if number == 0:
                        before = await asyncio.to_thread(packed_bytes, host.path("platform"))
            after = await asyncio.to_thread(packed_bytes, host.path("platform"))
            sealed = await kept(host, REF)
        return Grown(len(keys.plain(sealed)), len(sealed), (after - before) / applies, resources, applies)


def packed_bytes(repository: Path) -> int:
    """Give what a repository takes once a host has packed it."""
    subprocess.run(["git", "-C", repository, "gc", "-q", "--prune=now"], check=True, timeout=120)
    return sum(file.stat().st_size for file in (repository / "objects").rglob("*") if file.is_file())


def table(grown: Grown) -> str:
    return (
        f"state in git: an apply adds {grown.per_apply:,.0f} bytes to the packed branch ({grown.resources} resources, "
        f"{grown.applies} applies; sealed file {grown.sealed:,}, state {grown.plain:,})"
    )
