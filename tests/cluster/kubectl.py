"""Plain kubectl against a cluster of the tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.access import KubeAccess

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Completed:
    status: int
    out: str
    err: str


class KubectlFailed(Exception):
    """kubectl ended with a status that the test did not expect."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Call it with arguments; the access's namespace and a cache of its own are added."""

    access: KubeAccess
    editor: str = ""

    @staticmethod
    def is_there() -> bool:
        return shutil.which("kubectl") is not None

    async def __call__(self, *arguments: str, stdin: str = "", ok: tuple[int, ...] = (0,)) -> Completed:
        """Run kubectl. Raises KubectlFailed where its status is not in `ok`, TimeoutError after a minute."""
        with tempfile.TemporaryDirectory(prefix="converge-kubectl-") as home:
            environment = {
                "PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(self.access.kubeconfig), "TMPDIR": home,
                **({"KUBE_EDITOR": self.editor} if self.editor else {}),
            }  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                "kubectl", "--namespace", self.access.namespace, "--cache-dir", str(Path(home) / "cache"), *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=environment, cwd=home,
            )  # fmt: skip
            try:
                async with asyncio.timeout(SECONDS):
                    out, err = await process.communicate(stdin.encode())
            except TimeoutError:
                process.kill()
                await process.wait()
                raise
        assert process.returncode is not None
        done = Completed(process.returncode, out.decode(), err.decode())
        if done.status not in ok:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: status {done.status}: {done.err}{done.out}")
        return done
