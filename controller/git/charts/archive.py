"""A chart's archive, as the files of a commit. Pure."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from controller.git.stream import Entry, Identity, NewCommit
from controller.model import Stalled

MAX_BYTES: Final = 64 << 20  # unpacked
MAX_FILES: Final = 5_000


def read_archive(data: bytes, what: str) -> tuple[Mapping[str, bytes], datetime]:
    """Give the files below the archive's one folder, and when the newest of them was written. Raises Stalled."""
    files: dict[str, bytes] = {}
    newest, total = 0, 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                if not member.isfile():
                    continue  # a folder; helm leaves links out, too
                inside = _inside(member.name, what)
                total += member.size
                if total > MAX_BYTES or len(files) >= MAX_FILES:
                    raise Stalled(f"{what}: more than {MAX_BYTES >> 20} MiB or {MAX_FILES} files")
                content = archive.extractfile(member)
                files[inside] = content.read() if content else b""
                newest = max(newest, int(member.mtime))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Stalled(f"{what}: what the host gives is no chart archive") from error
    if "Chart.yaml" not in files:
        raise Stalled(f"{what}: the archive has no Chart.yaml, so it is no chart")
    return files, datetime.fromtimestamp(min(newest, 253_402_300_799), UTC)


def commit_of(name: str, version: str, digest: str, data: bytes) -> NewCommit:
    """Say the one commit that a version is: the same archive gives the same commit everywhere."""
    files, at = read_archive(data, f"{name} {version}")
    return NewCommit(
        parent=None,
        message=f"{name} {version} {digest}\n",
        author=Identity(name, f"{name}@chart"),
        at=at,
        files={path: Entry(files[path]) for path in sorted(files)},
    )


def _inside(name: str, what: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if len(parts) < 2 or ".." in parts or name.startswith("/") or "\\" in name:
        raise Stalled(f"{what}: {name!r} leads out of the archive's folder")
    return "/".join(parts[1:])
