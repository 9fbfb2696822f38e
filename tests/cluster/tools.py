"""Programs that tests need: from PATH, or else built by Go and kept beside what else is expensive to make."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.build import MODULE
from tests.cluster.cache import cache_directory, locked
from tests.cluster.toolchain import Unavailable, find_go

BUILD_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Tool:
    """A program by its Go package, at a version."""

    name: str
    package: str
    version: str
    variable: str  # of the environment: the path of one that is there
    module: str = ""  # that it is built in, where a `replace` in its go.mod keeps `go install` from building it
    flags: str = "-s -w"  # of the linker

    @property
    def directory(self) -> Path:
        return cache_directory() / f"{self.name}-{self.version}"

    @property
    def is_present(self) -> bool:
        return self._present() is not None or (self.directory / self.name).exists()

    def path(self) -> Path:
        """Give the program's path, building it where it is missing. Raises Unavailable."""
        present = self._present()
        if present:
            return Path(present)
        with locked(self.directory):
            if not (self.directory / self.name).exists():
                self._build(find_go(MODULE))
        return self.directory / self.name

    def _present(self) -> str | None:
        return os.environ.get(self.variable) or shutil.which(self.name)

    def _build(self, go: Path) -> None:
        partial = self.directory / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
        options = ["-p=2", "-ldflags", self.flags]
        if self.module:
            told = self._run([go, "mod", "download", "-json", f"{self.module}@{self.version}"], environment)
            folder, package = json.loads(told)["Dir"], f".{self.package.removeprefix(self.module)}"
            self._run([go, "build", "-C", folder, *options, "-o", str(partial / self.name), package], environment)
        else:
            argv = [go, "install", *options, f"{self.package}@{self.version}"]
            self._run(argv, {**environment, "GOBIN": str(partial)})
        (partial / self.name).rename(self.directory / self.name)
        shutil.rmtree(partial)

    def _run(self, argv: Sequence[str | Path], environment: Mapping[str, str]) -> str:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
        if done.returncode:
            raise Unavailable(f"{self.name} {self.version} can't be built: {done.stderr.strip()[-500:]}")
        return done.stdout
