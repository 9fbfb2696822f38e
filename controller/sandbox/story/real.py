"""The story's real control plane: what the tests use, built by `tests/cluster` and ended with this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson

from controller.model import Stalled
from controller.sandbox.story.stage import REFERENCE, Place

BUILD_SECONDS = 3600.0  # a first build of Kubernetes on a small machine
START_SECONDS = 60.0


@asynccontextmanager
async def real_control_plane(directory: Path, say: Callable[[str], None]) -> AsyncIterator[Place]:
    """Build (once) and start kube-apiserver, its controllers, a scheduler, etcd and a node that pretends to run pods.

    Raises Stalled where it can't be had, with the reason.
    """
    if not (REFERENCE / "tests" / "cluster").is_dir():
        raise Stalled("--cluster real needs a clone of the repository: tests/cluster builds the control plane")
    say("   building the control plane, once (some minutes the first time) …")
    binary = (await _built()).strip()
    process = await asyncio.create_subprocess_exec(
        *(binary, "--data", str(directory / "control-plane"), "--lifeline", "--discard"),
        *("--controllers", "--scheduler", "--kubelet"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        kubeconfig = await _ready(process)
        context = orjson.loads(kubeconfig)["current-context"]
        yield Place(kubeconfig=kubeconfig, context=context, name="a real Kubernetes control plane")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _built() -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cluster.build"),
        cwd=REFERENCE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(BUILD_SECONDS):
        out, talk = await process.communicate()
    if process.returncode:
        raise Stalled(f"the control plane can't be built: {talk.decode(errors='replace').strip()[-2000:]}")
    return out.decode()


async def _ready(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101  # it was asked for
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                stage = orjson.loads(line)
                if stage["stage"] == "ready":
                    return await asyncio.to_thread(Path(stage["kubeconfig"]).read_bytes)
    except TimeoutError as error:
        raise Stalled(f"the control plane did not start within {START_SECONDS:g} s") from error
    raise Stalled("the control plane ended while it started")
