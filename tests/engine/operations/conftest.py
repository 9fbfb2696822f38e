"""`person`: somebody at a terminal, with the `converge` command and the platform's URL."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from controller.runtime import Completed, bare_environment, run
from tests.fixtures.loop import Loop

ROOT = __file__.rpartition("/tests/")[0]


@dataclass(frozen=True)
class Person:
    """Types commands."""

    loop: Loop
    author: str = "Wang Li <li@example.com>"

    async def types(self, *arguments: str) -> Completed:
        """Run a command, whatever comes of it."""
        env = {
            "CONVERGE_PLATFORM": self.loop.host.url("platform"),
            "CONVERGE_CREDENTIALS": str(self.loop.directory / "credentials"),
            "CONVERGE_CACHE": str(self.loop.directory / "cache-of-the-person"),
            "CONVERGE_AUTHOR": self.author,
            **{name: os.environ[name] for name in ("CONVERGE_TERRAFORM_CONFIG",) if name in os.environ},
        }
        argv = (sys.executable, "-m", "controller.cli", *arguments)
        return await run(
            argv, cwd=self.loop.directory, env=bare_environment({**env, "PYTHONPATH": ROOT}), deadline_seconds=240
        )

    async def does(self, *arguments: str) -> str:
        """Run a command that must work, and give what it prints."""
        done = await self.types(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    async def is_refused(self, *arguments: str) -> str:
        """Run a command that must be refused, and give the reason."""
        before = await self.loop.host.log("platform")
        done = await self.types(*arguments)
        assert done.returncode == 1, done.stdout.decode()
        assert await self.loop.host.log("platform") == before
        return done.stderr.decode()

    async def reads(self, *arguments: str) -> Any:
        return json.loads(await self.does(*arguments, "--output", "json"))


@pytest.fixture
def person(loop: Loop) -> Person:
    """Give somebody with the controller's own credentials."""
    keys = loop.directory / "credentials" / "plan-keys"
    keys.mkdir()
    for environment in ("dev", "prod"):
        (keys / environment).write_bytes(secrets.token_bytes(32))
    return Person(loop)
