"""Where a repository is: its address, checked and taken apart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.config import check_git_url
from controller.model import Stalled


@dataclass(frozen=True, slots=True)
class Remote:
    """A checked address. `scheme` is https, ssh, http or file; `origin` is scheme, host and port of the first three."""

    url: str
    scheme: str
    origin: str = ""

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine; None when it is elsewhere."""
        return (
            Path(unquote(urlsplit(self.url).path) if "://" in self.url else self.url) if self.scheme == "file" else None
        )


def parse_remote(url: str) -> Remote:
    """Read an address. Raises Stalled with what to write instead; a password in it is never repeated."""
    if complaint := check_git_url(url):
        raise Stalled(f"repository: {complaint}")
    if url.startswith("/"):
        return Remote(url, "file")
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Remote(url, "file")
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    return Remote(url, parts.scheme, f"{parts.scheme}://{netloc}" + (f":{parts.port}" if parts.port else ""))
