"""`converge demo`: GitOps on this machine, end to end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.options import run_async

if TYPE_CHECKING:
    from controller.sandbox.story import Place, Stage


@click.command("demo")
@click.option(
    "--cluster",
    type=click.Choice(["sandbox", "real"]),
    default="sandbox",
    show_default=True,
    help="sandbox: in this process; real: a control plane built by tests/cluster.",
)
@click.option("--context", default="", help="Your own cluster instead, in namespaces of its own, removed afterwards.")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="KUBECONFIG",
    default=None,
    help="With --context: the file that names it. [default: ~/.kube/config]",
)
@click.option("--log", is_flag=True, help="Show the controller's log too, on stderr.")
def command(*, cluster: str, context: str, kubeconfig: Path | None, log: bool) -> None:
    """See GitOps work on this machine: real git repositories, a cluster, a controller, a story.

    With a terminal it stays up afterwards for you to try things; without one it ends.
    """
    from controller.runtime import configure_logging  # noqa: PLC0415

    configure_logging(json=False, level="info" if log else "critical")
    directory = Path(tempfile.mkdtemp(prefix="converge-demo-"))
    try:
        run_async(_demo(directory, cluster, context, kubeconfig, log=log))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _demo(directory: Path, cluster: str, context: str, kubeconfig: Path | None, *, log: bool) -> None:
    from controller.cli.wiring import connect, target_opener, workshop_with  # noqa: PLC0415
    from controller.engine import write_journal  # noqa: PLC0415
    from controller.runtime import CredentialStore, SystemClock  # noqa: PLC0415
    from controller.sandbox.story import Teller, open_stage, tell_story  # noqa: PLC0415

    teller = Teller(click.echo, click.style)
    teller.title("Converge demo: merge to deploy, revert to roll back, and the truth comes back as commits")
    place_context = _own(context, kubeconfig) if context else _place(directory, cluster)
    async with (
        place_context as place,
        open_stage(
            directory,
            place,
            connect=connect,
            opener=lambda store: target_opener(store, clock=SystemClock(), cache=directory / "cache"),
            listen=write_journal if log else lambda _event: None,
            workshop=workshop_with(CredentialStore(directory / "credentials"), directory / "cache"),
        ) as stage,
    ):
        click.echo(f"   on {place.name}; git host {stage.host.url('platform')}")
        try:
            await tell_story(stage, teller)
            if sys.stdin.isatty() and sys.stdout.isatty():
                _what_to_try(stage)
                await _until_interrupted()
        finally:
            if place.is_borrowed:
                await stage.clean_up()


@asynccontextmanager
async def _place(directory: Path, cluster: str) -> AsyncIterator[Place]:
    from controller.sandbox.story import Place, real_control_plane  # noqa: PLC0415

    if cluster == "real":
        async with real_control_plane(directory, click.echo) as place:
            yield place
        return
    import orjson  # noqa: PLC0415

    from controller.sandbox import SandboxCluster  # noqa: PLC0415

    async with SandboxCluster() as sandbox:
        kubeconfig = sandbox.kubeconfig()
        yield Place(orjson.dumps(kubeconfig), kubeconfig["current-context"], "the sandbox cluster")


@asynccontextmanager
async def _own(context: str, kubeconfig: Path | None) -> AsyncIterator[Place]:
    from controller.sandbox.story import Place  # noqa: PLC0415

    file = kubeconfig or Path.home() / ".kube" / "config"
    if not file.is_file():
        raise click.BadParameter(f"{file} is not there", param_hint="--kubeconfig")
    yield Place(file.read_bytes(), context, f"your cluster {context}", is_borrowed=True, namespaces="converge-demo-")


def _what_to_try(stage: Stage) -> None:
    kubeconfig = stage.directory / "credentials" / "kubeconfig" / "kubeconfig"
    host = stage.host
    own = [host.url(name).replace("://", "://demo:demo-token@") for name in ("shop", "platform")]
    click.echo(
        f"""
{click.style("It stays up. Try, in another terminal:", bold=True)}

  git clone {own[0]}       # edit deploy/, commit, push: it is deployed
  git clone {own[1]}   # overlays/ and environments/: promote, suspend, add an application
  kubectl --kubeconfig {kubeconfig} -n {stage.namespace("prod", "shop")} scale deployment web --replicas 1
  git -C {host.path("platform")} log --stat converge-status   # what Converge recorded

Ctrl-C ends it and leaves nothing behind."""
    )


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
