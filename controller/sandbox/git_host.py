"""A git host on loopback: real bare repositories behind `git http-backend`, as a forge serves them.

The demo's repositories live here, and the tests' own. What people do on a forge (commit, revert, force-push, delete a
branch, protect one) is a method; what a network does (go away, come back, be far) is one too. Every request is counted.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import shutil
import signal
import ssl
import stat
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from aiohttp import web

from controller.git import FAST_IMPORT_ARGS, Entry, Identity, NewCommit, import_stream
from controller.model import CommitId, Stalled
from controller.runtime import bare_environment, run

Files = Mapping[str, bytes | Entry | None]  # None deletes

DEADLINE_SECONDS = 60.0
CHUNK_BYTES = 1 << 16
BODY_LIMIT_BYTES = 1 << 30
ALICE = Identity("Alice Example", "alice@example.com")

# One hook serves every repository: it reads the list of protected branches at each push.
PRE_RECEIVE = """#!/bin/sh
while read old new ref; do
  if grep -qxF "$ref" "$GIT_DIR/protected" 2>/dev/null; then
    echo "branch ${ref#refs/heads/} is protected: open a pull request" >&2
    exit 1
  fi
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a client must show. Nothing here: everybody may read and write."""

    username: str = ""
    password: str = ""  # or a token: forges take it in the password's place
    may_push: bool = True


class GitHost:
    """Use as `async with GitHost(root) as host:`. Repositories are folders under `root` and outlive the host.

    `speaks_v2=False` answers like a server of the first protocol, which gives out only what its refs name.
    """

    def __init__(
        self,
        root: Path,
        *,
        access: Access | None = None,
        port: int = 0,
        latency_seconds: float = 0.0,
        speaks_v2: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.root = root
        self.access = access or Access()
        self.latency_seconds = latency_seconds
        self.requests: Counter[str] = Counter()  # by `METHOD /path?query`
        self._port = port
        self._speaks_v2 = speaks_v2
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._tick = 0

    async def __aenter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        await self.come_back()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.go_away()

    # The network

    async def come_back(self) -> None:
        """Listen, on the same port as before."""
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        application.router.add_route("*", "/{repository}.git/{rest:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def go_away(self) -> None:
        """Close the port: clients are refused until `come_back`."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def url(self, name: str) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/{name}.git"

    def path(self, name: str) -> Path:
        return self.root / f"{name}.git"

    # What people do

    async def create(
        self, name: str, files: Path | Files, *, branch: str = "main", author: Identity = ALICE
    ) -> CommitId:
        """Make a repository whose first commit holds a folder's files, or these."""
        await self.create_empty(name, branch=branch)
        content = read_folder(files) if isinstance(files, Path) else files
        return await self.commit(name, content, branch=branch, message=f"Begin {name}", author=author)

    async def create_empty(self, name: str, *, branch: str = "main") -> None:
        """Make a repository without a commit."""
        path = self.path(name)
        await self._git(self.root, "init", "-q", "--bare", f"--initial-branch={branch}", str(path))
        # As forges do: pushes, partial clones, and any commit by its id.
        for key in ("http.receivepack", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            await self._git(path, "config", key, str(self._speaks_v2 or "SHA1" not in key).lower())
        hook = path / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(PRE_RECEIVE)
        hook.chmod(0o755)

    async def commit(
        self, name: str, files: Files, *, branch: str = "main", message: str = "Change", author: Identity = ALICE
    ) -> CommitId:
        """Commit changed files on a branch (None deletes one), as a merged pull request would."""
        return await self._import(name, branch, files, message, author, parent=await self.head(name, branch))

    async def revert(self, name: str, commit: CommitId, *, branch: str = "main", author: Identity = ALICE) -> CommitId:
        """Take back what one commit changed, by a new commit: `git revert`. Raises Stalled on a conflict."""
        head = await self.head(name, branch)
        subject = (await self._git(self.path(name), "log", "-1", "--format=%s", commit)).strip()
        # A revert is a merge whose base is the commit and whose other side is the commit's parent.
        tree = await self._git(
            self.path(name),
            "merge-tree",
            "--write-tree",
            "--allow-unrelated-histories",
            *await self._sides(name, commit, head),
        )
        message = f'Revert "{subject}"\n\nThis reverts commit {commit}.\n'
        argv = ("commit-tree", tree.split()[0], "-p", str(head), "-m", message)
        new = CommitId((await self._git(self.path(name), *argv, author=author)).strip())
        await self._git(self.path(name), "update-ref", f"refs/heads/{branch}", new)
        return new

    async def force_push(
        self, name: str, files: Files, *, branch: str = "main", message: str = "Rewrite", author: Identity = ALICE
    ) -> CommitId:
        """Replace a branch by a new history of one commit that holds exactly these files."""
        return await self._import(name, branch, files, message, author, parent=None)

    async def move_branch(self, name: str, branch: str, commit: CommitId) -> None:
        await self._git(self.path(name), "update-ref", f"refs/heads/{branch}", commit)

    async def delete_branch(self, name: str, branch: str) -> None:
        await self._git(self.path(name), "update-ref", "-d", f"refs/heads/{branch}")

    async def tag(self, name: str, tag: str, commit: CommitId, *, message: str = "") -> None:
        """Tag a commit; with a message it is an annotated tag, which is an object of its own."""
        annotation = ("-a", "-m", message) if message else ()
        await self._git(self.path(name), "tag", *annotation, tag, commit)

    async def collect(self, name: str) -> None:
        """Forget what no ref names any more, as hosts do some time after a force push."""
        await self._git(self.path(name), "reflog", "expire", "--expire=now", "--all")
        await self._git(self.path(name), "gc", "-q", "--prune=now")

    def protect(self, name: str, branch: str) -> None:
        """Refuse pushes to a branch from now on."""
        with (self.path(name) / "protected").open("a") as file:
            file.write(f"refs/heads/{branch}\n")

    def unprotect(self, name: str) -> None:
        (self.path(name) / "protected").unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        shutil.rmtree(self.path(name))

    # What can be asked

    async def head(self, name: str, branch: str = "main") -> CommitId | None:
        """Give a branch's commit; None where there is no such branch."""
        text = await self._git(self.path(name), "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return CommitId(text.strip()) if text.strip() else None

    async def branches(self, name: str) -> list[str]:
        """Give the names of a repository's branches, sorted."""
        text = await self._git(self.path(name), "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/")
        return sorted(text.split())

    async def log(self, name: str, branch: str = "main", *, form: str = "%H") -> list[str]:
        """Give a branch's commits, newest first, each in a format of git-log(1) (NUL ends one)."""
        text = await self._git(self.path(name), "log", "-z", f"--format={form}", f"refs/heads/{branch}", "--")
        return text.rstrip("\0").split("\0")

    async def show(self, name: str, path: str, *, branch: str = "main") -> str:
        """Give a file's text on a branch."""
        return await self._git(self.path(name), "show", f"refs/heads/{branch}:{path}")

    async def read(self, name: str, path: str, *, branch: str = "main") -> bytes:
        """Give a file's bytes on a branch."""
        return await self._run(self.path(name), "show", f"refs/heads/{branch}:{path}")

    async def names(self, name: str, *, branch: str = "main") -> list[str]:
        """Give the path of every file on a branch."""
        return (await self._git(self.path(name), "ls-tree", "-rz", "--name-only", f"refs/heads/{branch}")).split("\0")[
            :-1
        ]

    # How it is done

    async def _sides(self, name: str, commit: CommitId, head: CommitId | None) -> tuple[str, str]:
        """Give two commits whose merge is `head` without `commit`.

        git 2.39's merge-tree takes no base of its own, so ours is head's tree and theirs the parent's tree, both as
        children of the commit, which is then their base.
        """
        path = self.path(name)
        parents = (await self._git(path, "rev-parse", f"{commit}^@")).split()
        empty = (await self._git(path, "hash-object", "-t", "tree", "-w", "--stdin")).strip()
        theirs = f"{parents[0]}^{{tree}}" if parents else empty
        pair = []
        for side in (f"{head}^{{tree}}", theirs):
            tree = (await self._git(path, "rev-parse", side)).strip()
            pair.append((await self._git(path, "commit-tree", tree, "-p", commit, "-m", "side")).strip())
        return pair[0], pair[1]

    async def _import(
        self, name: str, branch: str, files: Files, message: str, author: Identity, *, parent: CommitId | None
    ) -> CommitId:
        entries = {path: Entry(content) if isinstance(content, bytes) else content for path, content in files.items()}
        new = NewCommit(parent=parent, message=message, author=author, at=self._now(), files=entries)
        stream = import_stream(f"refs/heads/{branch}", [new])
        return CommitId((await self._git(self.path(name), *FAST_IMPORT_ARGS, stdin=stream)).strip())

    def _now(self) -> datetime:
        """Give a time that moves, so that two equal commits of one second are two commits."""
        self._tick += 1
        return datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) + self._tick, UTC)

    async def _git(self, cwd: Path, *arguments: str, stdin: bytes = b"", author: Identity = ALICE) -> str:
        return (await self._run(cwd, *arguments, stdin=stdin, author=author)).decode()

    async def _run(self, cwd: Path, *arguments: str, stdin: bytes = b"", author: Identity = ALICE) -> bytes:
        who = {
            f"GIT_{role}_{part}": getattr(author, part.lower())
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        env = bare_environment({"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **who})
        done = await run(("git", *arguments), cwd=cwd, env=env, deadline_seconds=DEADLINE_SECONDS, stdin=stdin)
        if done.returncode:
            raise Stalled(
                f"git {arguments[0]} in {cwd.name}: {done.error_text or done.stdout.decode(errors='replace')}"
            )
        return done.stdout

    # Requests

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests[f"{request.method} {request.path_qs}"] += 1
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if not self._is_allowed(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'}, text="who are you?\n")
        if "git-receive-pack" in request.path_qs and not self.access.may_push:
            return web.Response(status=403, text="you may not push here\n")
        if not self.path(request.match_info["repository"]).is_dir():
            return web.Response(status=404, text="no such repository\n")
        return await self._serve(request)

    def _is_allowed(self, request: web.Request) -> bool:
        if not self.access.password:
            return True
        expected = base64.b64encode(f"{self.access.username}:{self.access.password}".encode()).decode()
        return hmac.compare_digest(request.headers.get("Authorization", ""), f"Basic {expected}")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Carry one request through `git http-backend` (CGI)."""
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend",
            env=self._environment(request),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        feeding = asyncio.create_task(_feed(request, cast("asyncio.StreamWriter", process.stdin)))
        try:
            return await _relay(request, cast("asyncio.StreamReader", process.stdout))
        finally:
            feeding.cancel()
            # Not process.kill(): it would collect the child under the event loop's feet.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _environment(self, request: web.Request) -> dict[str, str]:
        """Give the CGI variables (RFC 3875) and what git-http-backend(1) asks for beside them."""
        env = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "REMOTE_USER": self.access.username or "anonymous",
            "REMOTE_ADDR": request.remote or "",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        }
        if self._speaks_v2 and "Git-Protocol" in request.headers:
            env["GIT_PROTOCOL"] = request.headers["Git-Protocol"]
        # aiohttp unpacks compressed bodies, so their declared length would be wrong.
        if "Content-Length" in request.headers and "Content-Encoding" not in request.headers:
            env["CONTENT_LENGTH"] = request.headers["Content-Length"]
        return bare_environment(env)


def read_folder(folder: Path) -> dict[str, bytes | Entry | None]:
    """Read a folder as files of a commit: links stay links, executables executable."""
    found: dict[str, bytes | Entry | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = Entry(os.fsencode(path.readlink()), "120000")
        elif stat.S_ISREG(mode):
            found[name] = Entry(path.read_bytes(), "100755" if mode & stat.S_IXUSR else "100644")
    return found


async def _feed(request: web.Request, pipe: asyncio.StreamWriter) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in request.content.iter_chunked(CHUNK_BYTES):
            pipe.write(chunk)
            await pipe.drain()
        pipe.close()


async def _relay(request: web.Request, output: asyncio.StreamReader) -> web.StreamResponse:
    status, headers = 200, {}
    while line := (await output.readline()).strip():
        name, _, value = line.decode().partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    if not headers:
        return web.Response(status=500, text="git http-backend gave no answer\n")
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    while chunk := await output.read(CHUNK_BYTES):
        await response.write(chunk)
    await response.write_eof()
    return response
