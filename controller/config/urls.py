"""Where a git repository may be: what git itself would take, less what runs programs, leaks or is not protected."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from controller.config.complaint import Complaint, quoted

_SCHEMES = ("https", "ssh", "file", "http")
_FORMS = "Use https://, ssh://, file://, an absolute path, or http:// to this machine."
_END_POINT = "Use https://, or http:// to this machine."
_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/:].*)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]+")


def check_git_url(url: str) -> Complaint | None:
    """Say what is wrong with a repository's URL. One that may hold a password is never shown."""
    if url.startswith("-"):
        return Complaint(f"{quoted(url)} begins with a dash, which git would take for an option", _FORMS)
    if "::" in url.split("/", maxsplit=1)[0]:
        return Complaint("a transport of git's own (`name::address`) runs a program", _FORMS)
    if any(one.isspace() or not one.isprintable() for one in url):
        return Complaint("the URL has a space or a control character", "Escape it as %20.")
    if url.startswith("/"):
        return None
    if "://" not in url:
        return _without_scheme(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Complaint("the URL can't be read: its host or port is malformed", _FORMS)
    if port == 0:
        return Complaint("the URL has port 0", "Leave the port out.")
    return _with_scheme(parts)


def check_repository_url(url: str) -> Complaint | None:
    """Say what is wrong with the URL of a git repository or of a chart in a registry (`oci://host/path/chart`)."""
    if not url.startswith("oci://"):
        return check_git_url(url)
    found = check_git_url(f"https://{url.removeprefix('oci://')}")
    if found is None and "/" not in urlsplit(url).path.strip("/") and not urlsplit(url).path.strip("/"):
        return Complaint("the URL names a registry, and no chart in it", "Add the chart's path.")
    if found is None and ":" in url.rpartition("/")[2]:
        return Complaint("the URL ends in a tag", "Write the version into the application's entry, as `version`.")
    return found


def _without_scheme(url: str) -> Complaint:
    match = _SCP.fullmatch(url)
    if match is not None:
        host = f"{match['user']}@{match['host']}" if match["user"] else match["host"]
        path = match["path"]
        return Complaint(
            f"{quoted(url)} is scp's short form, which looks like a path",
            f"Write {quoted(f'ssh://{host}/{path}')}.",
        )
    return Complaint(f"{quoted(url)} is a relative path, and nothing says relative to what", _FORMS)


def _with_scheme(parts: SplitResult) -> Complaint | None:
    if parts.scheme not in _SCHEMES:
        return Complaint(f"the scheme {quoted(parts.scheme)} is not one that Converge speaks", _FORMS)
    if parts.query or parts.fragment:
        return Complaint("the URL has a query or a fragment, which a git repository has not", "Remove it.")
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        return Complaint(
            "the URL holds a user or a password",
            "Put it into the credential store, and name its folder under `credentials`.",
        )
    if parts.scheme == "file":
        return None if not parts.netloc and parts.path.startswith("/") else Complaint("file:// wants an absolute path")
    return _host(parts)


def check_end_point(url: str) -> Complaint | None:
    """Say what is wrong with the URL of an HTTP end point. One that may hold a password is never shown."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return Complaint("the URL can't be read: its host or port is malformed", _END_POINT)
    if parts.scheme not in ("https", "http") or not _HOST.fullmatch(host) or port == 0 or not url.isprintable():
        return Complaint("this is no URL of an end point", _END_POINT)
    if parts.username is not None or parts.password is not None:
        return Complaint("the URL holds a user or a password", "Put it into the credential store.")
    if parts.query or parts.fragment:
        return Complaint("the URL has a query or a fragment, which the exporter adds itself", "Remove it.")
    if parts.scheme == "http" and not is_loopback(host):
        return Complaint(f"http:// to {quoted(host)} is not protected", _END_POINT)
    return None


def _host(parts: SplitResult) -> Complaint | None:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or (parts.username or "").startswith("-"):
        return Complaint("the URL names no host that could be one", _FORMS)
    if not parts.path.strip("/"):
        return Complaint("the URL names a host, and no repository on it", "Add the repository's path.")
    if parts.scheme == "http" and not is_loopback(host):
        return Complaint(
            f"http:// to {quoted(host)} is not protected", "Use https://; http:// is for this machine only."
        )
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine, without asking a name server."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
