"""Where a repository is: the addresses we talk to, and why not to the others. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.model import Stalled

FORMS = "Use https://, ssh://, file://, an absolute path, or http:// to this machine"
SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:[^/:][^:]*")
HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9a-fA-F:]+")
USER = re.compile(r"[A-Za-z0-9_.][-A-Za-z0-9_.@+%]*")


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
    if any(char.isspace() or not char.isprintable() for char in url):
        raise Stalled("the repository's URL has a space or a control character. Write %20 for a space")
    if url.startswith("/"):
        return Remote(url, "file")
    if "://" not in url:
        advice = f"Write ssh://{url.replace(':', '/', 1)}" if SCP.fullmatch(url) else FORMS
        raise Stalled(f"{url!r} is no URL of a repository. {advice}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Stalled(f"the repository's URL has a malformed host or port. {FORMS}") from error
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise Stalled("the repository's URL holds a user or a password. Put them into the credential store")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise Stalled(f"{url}: file:// wants an absolute path, as in file:///srv/git/shop.git")
        return Remote(url, "file")
    host = parts.hostname or ""
    if not HOST.fullmatch(host) or not USER.fullmatch(parts.username or "git") or not parts.path.strip("/"):
        raise Stalled(f"{url!r} names no repository on a host. {FORMS}")
    if parts.scheme not in {"https", "ssh", "http"}:
        raise Stalled(f"{url}: {parts.scheme}:// is not a way to a repository that Converge goes. {FORMS}")
    if parts.scheme == "http" and not is_loopback(host):
        raise Stalled(f"{url}: http:// is not protected on its way. Use https:// (http:// is for this machine only)")
    netloc = f"[{host}]" if ":" in host else host
    return Remote(url, parts.scheme, f"{parts.scheme}://{netloc}" + (f":{port}" if port else ""))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
