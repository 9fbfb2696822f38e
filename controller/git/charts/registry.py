"""A chart in an OCI registry: tags are its versions, and a manifest names the archive by its digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urljoin

from controller.documents import decode
from controller.git.charts.address import ChartAddress
from controller.git.charts.index import ARCHIVE_BYTES, Release
from controller.git.charts.web import HTTP_OK, UNAUTHORIZED, Response, Web, check_protected, refusal
from controller.model import Stalled

ANSWER_BYTES: Final = 4 << 20
PAGES: Final = 50
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
LAYERS: Final = frozenset(
    {"application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"}  # the later of early helms
)
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(slots=True)
class RegistryCatalogue:
    """The versions of one chart in a registry. A `+` of a version is a `_` in its tag, as helm does it."""

    address: ChartAddress
    _authorization: str = ""

    async def versions(self, web: Web) -> Mapping[str, Release]:
        """Give all versions; their digests are asked for one by one. Raises Stalled, Transient."""
        url = f"{self.address.base}/v2/{self.address.path}/tags/list?n=1000"
        found: dict[str, Release] = {}
        for _ in range(PAGES):
            answer = await self._get(web, url, limit=ANSWER_BYTES)
            if answer.status != HTTP_OK:
                raise refusal(self.address.url, answer)
            for tag in _decoded(answer, self.address.url).get("tags") or ():
                version = str(tag).replace("_", "+")
                found[version] = Release(version, "", str(tag))
            follow = re.match(r'<([^>]+)>;\s*rel="?next"?', answer.headers.get("Link", ""))
            if follow is None:
                break
            url = urljoin(url, follow[1])
        return found

    async def release(self, version: str, web: Web) -> Release | None:
        """Ask for a version's digest; None where there is no such version. Raises Stalled, Transient."""
        tag = version.replace("+", "_")
        url = f"{self.address.base}/v2/{self.address.path}/manifests/{tag}"
        answer = await self._get(web, url, limit=ANSWER_BYTES, accept=MANIFEST)
        if answer.status == 404:
            return None
        if answer.status != HTTP_OK:
            raise refusal(f"{self.address.url}:{tag}", answer)
        manifest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        told = answer.headers.get("Docker-Content-Digest", manifest)
        if told.startswith("sha256:") and told != manifest:
            raise Stalled(f"{self.address.url}:{tag}: its manifest is not what its digest says ({told})")
        layers = _decoded(answer, self.address.url).get("layers") or ()
        charts = [str(one.get("digest")) for one in layers if isinstance(one, dict) and one.get("mediaType") in LAYERS]
        if len(charts) != 1:
            raise Stalled(f"{self.address.url}:{tag} is no Helm chart: none of its layers is a chart's content")
        return Release(version, charts[0], charts[0])

    async def archive(self, release: Release, web: Web) -> bytes:
        """Fetch an archive. Raises Stalled, Transient."""
        url = f"{self.address.base}/v2/{self.address.path}/blobs/{release.place}"
        answer = await self._get(web, url, limit=ARCHIVE_BYTES)
        if answer.status != HTTP_OK:
            raise refusal(f"{self.address.url} {release.version}", answer)
        return answer.body

    async def _get(self, web: Web, url: str, *, limit: int, accept: str = "application/json") -> Response:
        """Send a GET, logged in the way that the registry asks for."""
        headers = {"Accept": accept}
        answer = await web.get(url, limit=limit, headers=headers, authorization=self._authorization)
        if answer.status != UNAUTHORIZED:
            return answer
        self._authorization = await self._login(web, answer.headers.get("Www-Authenticate", ""))
        if not self._authorization:
            return answer
        return await web.get(url, limit=limit, headers=headers, authorization=self._authorization)

    async def _login(self, web: Web, challenge: str) -> str:
        """Answer a challenge: by the password itself, or by a token that it is exchanged for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return web.basic()
        said = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in said:
            return ""
        realm = said["realm"]
        check_protected(realm)
        scope = said.get("scope") or f"repository:{self.address.path}:pull"
        query = urlencode({"service": said.get("service", ""), "scope": scope})
        answer = await web.exchange(f"{realm}{'&' if '?' in realm else '?'}{query}", limit=ANSWER_BYTES)
        if answer.status != HTTP_OK:
            return ""
        reply = _decoded(answer, realm)
        token = reply.get("token") or reply.get("access_token")
        return f"Bearer {token}" if isinstance(token, str) and token else ""


def _decoded(answer: Response, what: str) -> dict[str, Any]:
    try:
        value: Any = decode(answer.body)
    except ValueError as error:
        raise Stalled(f"{what}: the answer is no JSON, so this is no registry") from error
    if not isinstance(value, dict):
        raise Stalled(f"{what}: the answer is no JSON object, so this is no registry")
    return value
