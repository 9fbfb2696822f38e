"""`converge clone-env`: a new environment out of another one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.config import read_platform
from controller.model import EnvironmentName, Invalid, KubernetesTarget, Problem, Tree

if TYPE_CHECKING:
    from controller.engine import CloneEnvironment

PERMIT = "`--permit` does that in the same commit."


@click.command("clone-env")
@click.argument("source", metavar="ENV")
@click.argument("name", metavar="NEW")
@click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="[TARGET=]NAME",
    help="The kubeconfig context that its Kubernetes target is; TARGET=NAME for each where there are several.",
)
@click.option("--permit", is_flag=True, help="Let the repositories that may run in ENV run in NEW too.")
@platform_options
@commit_options
def command(
    *,
    source: str,
    name: str,
    contexts: tuple[str, ...],
    permit: bool,
    platform: PlatformOptions,
    commit: CommitOptions,
) -> None:
    """Make environment NEW out of ENV: its targets, policy and applications, and its overlays.

    It begins suspended: look at what it would do (`converge plan NEW`), then take `suspend` away. Copied is policy, and
    not a yes that was given once: `approveDeletions`, `state: absent`, approvals. Refused where it would not validate,
    or would share a state of Terraform. Where it names the same cluster and namespaces as ENV, its objects are ENV's,
    and stay so. One commit on the platform repository.
    """
    parts = (one.rpartition("=") for one in contexts)
    chosen = {target: context for target, _, context in parts}
    done = _clone(EnvironmentName(source), EnvironmentName(name), chosen, platform, commit, permits=permit)
    sys.exit(run_async(done))


async def _clone(
    source: EnvironmentName,
    name: EnvironmentName,
    contexts: Mapping[str, str],
    options: PlatformOptions,
    commit: CommitOptions,
    *,
    permits: bool,
) -> int:
    from controller.engine import CloneEnvironment  # noqa: PLC0415

    platform = await open_platform(options)
    operation = CloneEnvironment(source, name, contexts, permits=permits)
    try:
        code = await carry_out(operation, platform, options, commit)
    except Invalid as error:
        raise Invalid(_with_advice(error, operation)) from error
    for remark in _remarks(operation, platform.tree):
        click.echo(remark, err=True)
    return code


def _with_advice(error: Invalid, operation: CloneEnvironment) -> Iterator[Problem]:
    for one in error.problems:
        is_permission = f'may not touch environment "{operation.name}"' in one.what
        yield Problem(one.where, one.what, one.field, f"{one.advice} {PERMIT}" if is_permission else one.advice)


def _remarks(operation: CloneEnvironment, tree: Tree) -> Iterator[str]:
    """Say what a person has to look at, since no program can know it."""
    from controller.engine import elsewhere, mentions, silent_on_states  # noqa: PLC0415

    source, name = operation.source, operation.name
    for place in mentions(operation.edits(tree), source, but=name):
        if not place.startswith("converge.yaml:"):
            yield f"{place} still speaks of {source}: see whether it means {name}"
    for place in mentions(elsewhere(tree, source), source):
        yield f"{place} speaks of {source}: see whether {name} belongs there too"
    for target in read_platform(tree).environments[source].targets.values():
        if isinstance(target, KubernetesTarget) and not {"", target.name} & set(operation.contexts):
            yield f"{name} has the same cluster as {source} at {target.name}: --context leads it to another one"
    for target_name in silent_on_states(tree, source):
        yield (
            f"{target_name}: Terraform modules say themselves where their states are. One that names the same place in "
            f"every environment is refused in {name}: give the target a backend, or stateInGit"
        )
