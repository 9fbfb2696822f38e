"""What commands that are a commit on the platform repository share: their options, and the way to that commit."""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.options import FINE, PlatformOptions
from controller.model import ApplicationName, CommitId, EnvironmentName, GroupRef, Secret, Stalled, Transient, Tree

if TYPE_CHECKING:
    from controller.engine import Operation
    from controller.git import Identity, Mirror

PUSH_SECONDS = 120.0
PERSON = re.compile(r"\s*(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>\s]+)>\s*")
WHO = "Say who you are: --author 'Name <email>', GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL, or `git config user.name`"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOptions:
    """How a command's commit is made."""

    why: str
    author: str
    branch: str
    is_dry: bool
    signing_key: Path | None


def commit_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of its commit, gathered as `commit: CommitOptions`."""

    @click.option("--why", default="", metavar="TEXT", help="Why, for the commit's message.")
    @click.option(
        "--author",
        envvar="CONVERGE_AUTHOR",
        default="",
        metavar="'NAME <EMAIL>'",
        help="By whom. [default: as git has it in the environment and its configuration]",
    )
    @click.option("--branch", default="", metavar="NAME", help="Push to this branch, for review, instead.")
    @click.option(
        "--signing-key",
        envvar="CONVERGE_SIGNING_KEY",
        default=None,
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Sign the commit with this SSH private key, which has no passphrase.",
    )
    @click.option("--dry-run", "is_dry", is_flag=True, help="Show the diff; push nothing.")
    @wraps(function)
    def gathered(*, why: str, author: str, branch: str, is_dry: bool, signing_key: Path | None, **others: Any) -> None:
        commit = CommitOptions(why=why, author=author, branch=branch, is_dry=is_dry, signing_key=signing_key)
        function(commit=commit, **others)

    return gathered


def group_of(text: str) -> GroupRef:
    """Read ENV/APP. Raises click's error of misuse."""
    environment, slash, application = text.partition("/")
    if not slash or not environment or not application or "/" in application or "@" in application:
        raise click.BadParameter(f"{text!r} is no ENV/APP, such as prod/shop")
    return GroupRef(EnvironmentName(environment), ApplicationName(application))


Proof = Callable[[Tree], Awaitable[None]]  # looks at the edited tree; raises what speaks against it


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform repository at the head of the branch that is followed."""

    mirror: Mirror
    branch: str
    head: CommitId
    tree: Tree


async def open_platform(options: PlatformOptions) -> Platform:
    """Read the head of the platform's branch. Raises Stalled where what is followed is no branch."""
    from controller.cli.wiring import platform_mirror  # noqa: PLC0415
    from controller.model import PLATFORM  # noqa: PLC0415

    _, mirror = platform_mirror(options)
    branch = options.revision if options.revision not in {"", "HEAD"} else await mirror.default_branch()
    branch = branch.removeprefix("refs/heads/")
    name = f"refs/heads/{branch}"
    refs = await mirror.refs([name])
    if name not in refs:
        raise Stalled(f"{mirror.url}: {branch!r} is no branch, so that nothing can be committed to it. Name a branch")
    return Platform(mirror, branch, refs[name], await mirror.tree(refs[name], repository=PLATFORM))


async def carry_out(
    operation: Operation,
    platform: Platform,
    options: PlatformOptions,
    commit: CommitOptions,
    proof: Proof | None = None,
) -> int:
    """Make the one commit that an operation is, or show it. Raises Stalled (Invalid) where it is refused."""
    from controller.engine import EditedTree, edited  # noqa: PLC0415

    author = await identity(commit.author)
    files = edited(operation, platform.tree)
    if not files:
        click.echo(f"Nothing to change: {operation.group} is so already on {platform.branch}.")
        return FINE
    if proof is not None:
        await proof(EditedTree(platform.tree, files))
    for line in diff_lines(platform.tree, files):
        click.echo(line)
    if commit.is_dry:
        click.echo(f"Not committed (--dry-run): {operation.subject}")
        return FINE
    if (options.signers_ssh or options.signers_gpg) and not (commit.branch or commit.signing_key):
        raise Stalled(
            "this platform takes signed commits only: without a signature it would be refused. "
            "Sign it (--signing-key), push it for review (--branch), or commit what --dry-run shows yourself"
        )
    made = await _push(operation, platform, commit, author)
    where = commit.branch or platform.branch
    click.echo(f"{made[:12]} {operation.subject}  ({where})" if made else f"Nothing to change on {where}.")
    return FINE


async def _push(operation: Operation, platform: Platform, commit: CommitOptions, author: Identity) -> CommitId | None:
    from controller.engine import OperationChange  # noqa: PLC0415
    from controller.git import Committer, ssh_signer  # noqa: PLC0415
    from controller.runtime import SystemClock  # noqa: PLC0415

    committer = Committer(
        platform.mirror,
        commit.branch or platform.branch,
        identity=author,
        clock=SystemClock(),
        suffix="",
        start=platform.head,
        sign=ssh_signer(lambda: Secret(key.read_bytes())) if (key := commit.signing_key) else None,
    )
    try:
        async with asyncio.timeout(PUSH_SECONDS), committer:
            return await committer.submit(OperationChange(operation, commit.why))
    except TimeoutError as error:
        raise Transient(
            f"{platform.mirror.url} could not be pushed to for {PUSH_SECONDS:.0f} s. "
            "Look there whether the commit arrived, and try again"
        ) from error


def diff_lines(tree: Tree, files: Mapping[str, bytes]) -> Iterator[str]:
    """Give a unified diff of what is changed, as `git diff` shows it."""
    for path, data in sorted(files.items()):
        try:
            before = tree.read(path).decode(errors="replace")
        except KeyError:
            before = ""
        pair = (before.splitlines(), data.decode(errors="replace").splitlines())
        for line in difflib.unified_diff(*pair, f"a/{path}" if before else "/dev/null", f"b/{path}", lineterm=""):
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            yield click.style(line, fg=colour)


async def identity(author: str) -> Identity:
    """Say who a commit is by: --author, git's own variables, or git's configuration. Raises Stalled where none does."""
    from controller.git import Identity  # noqa: PLC0415

    if author:
        match = PERSON.fullmatch(author)
        if match is None:
            raise Stalled(f"{author!r} is no 'Name <email>'. {WHO}")
        return Identity(match["name"], match["email"])
    name = os.environ.get("GIT_AUTHOR_NAME") or await _configured("user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or await _configured("user.email")
    if not name or not email:
        raise Stalled(f"nothing says whose commit this is. {WHO}")
    return Identity(name, email)


async def _configured(key: str) -> str:
    """Ask git's own configuration, the person's and that of the folder they are in."""
    from controller.runtime import bare_environment, run  # noqa: PLC0415

    kept = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
    env = bare_environment({name: os.environ[name] for name in kept if name in os.environ})
    done = await run(("git", "config", "--get", key), cwd=Path.cwd(), env=env, deadline_seconds=10.0)
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
