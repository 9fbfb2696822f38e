"""Options that several commands share, each also an environment variable."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from controller.model import ConvergeError

FINE, FAILED, MISUSE, PENDING, DRIFTED = 0, 1, 2, 3, 4
Result = TypeVar("Result")
Params = ParamSpec("Params")
Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOptions:
    """Where the platform repository is, and what reading it takes."""

    url: str
    revision: str
    credentials: str
    signers_ssh: bytes
    signers_gpg: bytes
    credential_directory: Path
    cache: Path


def platform_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name the platform repository, gathered as `platform: PlatformOptions`."""

    @click.option(
        "--platform",
        "url",
        envvar="CONVERGE_PLATFORM",
        default=".",
        show_default=True,
        metavar="URL",
        help="The platform repository: https://, ssh://, file://, a path, http:// to loopback.",
    )
    @click.option(
        "--revision",
        envvar="CONVERGE_REVISION",
        default="",
        metavar="REV",
        help="Its branch, tag or commit. [default: the repository's HEAD]",
    )
    @click.option(
        "--platform-credentials",
        "credentials",
        envvar="CONVERGE_PLATFORM_CREDENTIALS",
        default="",
        metavar="NAME",
        help="The credential that opens it.",
    )
    @click.option(
        "--signers",
        "signers_ssh",
        envvar="CONVERGE_SIGNERS",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Refuse a HEAD that is not signed by an SSH key in this allowed-signers file.",
    )
    @click.option(
        "--gpg-keys",
        "signers_gpg",
        envvar="CONVERGE_GPG_KEYS",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Refuse a HEAD that is not signed by one of these GPG keys.",
    )
    @click.option(
        "--credentials",
        "credential_directory",
        envvar="CONVERGE_CREDENTIALS",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        help="The credential store: a folder per credential. [default: ~/.config/converge/credentials]",
    )
    @click.option(
        "--cache",
        envvar="CONVERGE_CACHE",
        metavar="DIR",
        default=None,
        type=click.Path(file_okay=False, path_type=Path),
        help="Mirrors, providers; holds nothing but states that wait for a push. [default: ~/.cache/converge]",
    )
    @wraps(function)
    def gathered(
        *,
        url: str,
        revision: str,
        credentials: str,
        signers_ssh: Path | None,
        signers_gpg: Path | None,
        credential_directory: Path | None,
        cache: Path | None,
        **others: Any,
    ) -> None:
        function(
            platform=PlatformOptions(
                url=str(Path(url).resolve()) if Path(url).is_dir() else url,
                revision=revision,
                credentials=credentials,
                signers_ssh=signers_ssh.read_bytes() if signers_ssh else b"",
                signers_gpg=signers_gpg.read_bytes() if signers_gpg else b"",
                credential_directory=credential_directory or _home("XDG_CONFIG_HOME", ".config") / "credentials",
                cache=cache or _home("XDG_CACHE_HOME", ".cache"),
            ),
            **others,
        )

    return gathered


def output_option(function: Command) -> Command:
    return click.option(
        "--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="For whom."
    )(function)


def _home(variable: str, default: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "converge"


def run_async(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine on uvloop; a ConvergeError becomes a message on stderr and exit code 1."""
    import structlog  # noqa: PLC0415
    import uvloop  # noqa: PLC0415  # 10 ms that `--help` need not pay

    if not structlog.is_configured():  # `run` and `demo` say themselves what they log
        from controller.runtime import configure_logging  # noqa: PLC0415

        configure_logging(json=False, level="warning")
    try:
        return uvloop.run(main)
    except* ConvergeError as group:
        fail(_first(group))


def _first(group: BaseExceptionGroup[ConvergeError]) -> ConvergeError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConvergeError)  # noqa: S101  # `except*` has split the others off
    return error


def fail(error: ConvergeError) -> NoReturn:
    click.echo(click.style("error: ", fg="red", bold=True) + str(error), err=True)
    sys.exit(FAILED)
