"""Where a chart is: `oci://host/path/name` of a registry, or `https://host/path#name` of a chart repository. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from controller.config import check_repository_url, is_loopback
from controller.model import Stalled


@dataclass(frozen=True, slots=True)
class ChartAddress:
    """`base` is what requests begin with: a registry's own origin, or the folder of a repository's index."""

    url: str
    name: str
    base: str
    path: str = ""  # in a registry, with the name
    is_registry: bool = False


def chart_address(url: str) -> ChartAddress | None:
    """Read an address; None for a git repository's. Raises Stalled for one that Converge doesn't go to."""
    is_registry = url.startswith("oci://")
    if not is_registry and "#" not in url:
        return None
    base, _, name = url.partition("#")
    if complaint := check_repository_url(base):
        raise Stalled(f"chart: {complaint}")
    if not is_registry:
        return ChartAddress(url, name, base.rstrip("/"))
    parts = urlsplit(url)
    scheme = "http" if is_loopback(parts.hostname or "") else "https"
    path = parts.path.strip("/")
    return ChartAddress(url, path.rpartition("/")[2], f"{scheme}://{parts.netloc}", path, is_registry=True)
