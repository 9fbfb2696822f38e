"""EasyOps CMDB: instances by `POST /object/<objectId>/instance/_import`, found again by one key field.

An import is `{keys: [field], datas: [...]}`: what has the same key is updated, what is new is made. Deleting takes
instance ids, so that it asks for them first (`_search`); what is not found is gone already. After the public SDKs'
`instance.ImportInstance`, `instance.PostSearch` and `instance.DeleteInstanceBatch`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from controller.documents import canonical
from controller.model import JsonValue
from controller.records.exporters.protocol import Exporter, Instance, RefusedError, Request, Talk
from controller.records.exporters.settings import Settings
from controller.records.paths import model_segment

KEY: Final = "convergeKey"
BATCH: Final = 200
_UNFIT = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class EasyOps:
    """`objects` says which model of the CMDB a model of ours is; others are `prefix` and their own name."""

    objects: Mapping[str, str] = field(default_factory=dict)
    prefix: str = "CONVERGE_"
    key: str = KEY
    batch: int = BATCH

    def files(self, instances: Sequence[Instance]) -> Mapping[str, bytes]:
        """Give an import file per model."""
        return {
            f"{model_segment(model)}.json": canonical(self._import(members)) + b"\n"
            for model, members in self._by_object(instances)
        }

    def push(self, changed: Sequence[Instance], gone: Sequence[Instance]) -> Talk:
        refused: list[str] = []
        for model, members in self._by_object(changed):
            for part in _parts(members, self.batch):
                reply = yield Request(method="POST", path=f"/object/{model}/instance/_import", body=self._import(part))
                refused += _refusals(reply.body, model, part)
        for model, members in self._by_object(gone):
            for part in _parts(members, self.batch):
                yield from self._delete(model, part, refused)
        if refused:
            raise RefusedError("; ".join(refused))

    def _delete(self, model: str, part: Sequence[Instance], refused: list[str]) -> Talk:
        wanted: list[JsonValue] = [one.key for one in part]
        search: dict[str, JsonValue] = {
            "query": {self.key: {"$in": wanted}},
            "fields": {"instanceId": True},
            "page": 1,
            "page_size": self.batch,
        }
        reply = yield Request(method="POST", path=f"/object/{model}/instance/_search", body=search)
        ids = [one["instanceId"] for one in _found(reply.body)]
        if ids:
            query = {"instanceIds": ";".join(ids)}
            reply = yield Request(method="DELETE", path=f"/object/{model}/instance/_batch", query=query)
            if (why := _complaint(reply.body)) and reply.status != 404:
                refused.append(f"{model}: {len(ids)} instances can't be deleted: {why}")

    def _by_object(self, instances: Sequence[Instance]) -> Iterator[tuple[str, list[Instance]]]:
        ordered = sorted(instances, key=lambda one: (self._object(one.model), one.key))
        for model, members in groupby(ordered, key=lambda one: self._object(one.model)):
            yield model, list(members)

    def _object(self, model: str) -> str:
        return self.objects.get(model) or f"{self.prefix}{_UNFIT.sub('_', model).strip('_').upper()}"

    def _import(self, instances: Sequence[Instance]) -> dict[str, JsonValue]:
        return {"keys": [self.key], "datas": [self._data(one) for one in instances]}

    def _data(self, one: Instance) -> dict[str, JsonValue]:
        place, provenance = one.place, one.provenance
        own: dict[str, JsonValue] = {
            self.key: one.key,
            "convergeId": one.id,
            "name": one.name,
            "environment": place.environment,
            "application": place.application,
            "target": place.target,
            "namespace": place.namespace,
            "sync": one.sync,
            "health": one.health,
            "since": one.since,
            "commit": provenance.get("commit", ""),
            "repository": provenance.get("repository", ""),
            "relations": [{"type": each.type, "target": each.target} for each in one.relations],
        }
        return {**one.attributes, **{name: value for name, value in own.items() if value not in ("", [])}}


def _parts(members: Sequence[Instance], size: int) -> Iterator[Sequence[Instance]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _refusals(body: Any, model: str, part: Sequence[Instance]) -> Iterator[str]:
    """Read an import's answer: `{code, error, data: {failed_count, data: [{code, error}, …]}}`."""
    if why := _complaint(body):
        yield f"{model}: {why}"
        return
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not data.get("failed_count"):
        return
    answers = data.get("data")
    for one, answer in zip(part, answers if isinstance(answers, list) else [], strict=False):
        if isinstance(answer, dict) and answer.get("code"):
            yield f"{one.key}: {_short(answer.get('error'))}"


def _found(body: Any) -> list[Mapping[str, Any]]:
    data = body.get("data") if isinstance(body, dict) else None
    listed = data.get("list") if isinstance(data, dict) else None
    return [one for one in listed or () if isinstance(one, dict) and isinstance(one.get("instanceId"), str)]


def _complaint(body: Any) -> str:
    """Give what an answer complains of; a code of 0, or none, is fine."""
    if not isinstance(body, dict) or not body.get("code"):
        return ""
    return _short(body.get("error")) or f"code {body['code']}"


def _short(text: Any) -> str:
    return str(text or "")[:200]


def exporter(settings: Mapping[str, JsonValue]) -> Exporter:
    """Take `objects` (model to objectId), `prefix`, `key` (the field that is unique there) and `batch`."""
    read = Settings(settings)
    made = EasyOps(
        read.texts("objects", {}),
        read.text("prefix", "CONVERGE_"),
        read.text("key", KEY),
        read.number("batch", BATCH, most=1000),
    )
    read.done()
    return made
