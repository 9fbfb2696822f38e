"""The HTTP side: paths, parameters and bodies into calls, answers and refusals into JSON. It knows no rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import yaml
from aiohttp import web

from controller.sandbox.cluster import discovery, patches, protobuf, refusals, selectors, views
from controller.sandbox.cluster.deletion import Deletion
from controller.sandbox.cluster.objects import Objects, Request
from controller.sandbox.cluster.refusals import Refused
from controller.sandbox.cluster.registry import Registry
from controller.sandbox.cluster.schema import Body, Kind
from controller.sandbox.cluster.store import Store
from controller.sandbox.cluster.views import View
from controller.sandbox.cluster.watching import Selection, Watch, list_page

WATCH_SECONDS = 1800.0
BODY_LIMIT = 3 << 20  # bytes, as the real server's
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
GIT_VERSION = "v1.36.3"


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Api:
    """Serves one cluster. `token` is what clients must show."""

    def __init__(self, store: Store, registry: Registry, objects: Objects, token: str) -> None:
        self._store = store
        self._registry = registry
        self._objects = objects
        self._token = token
        self._watches: set[Watch] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.on_shutdown.append(self._end_watches)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _end_watches(self, _: web.Application) -> None:
        for watch in self._watches:
            watch.end()

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        try:
            return await self._route(http)
        except Refused as refused:
            return _json(refused.status(), refused.code)

    async def _route(self, http: web.Request) -> web.StreamResponse:
        parts = [part for part in http.path.split("/") if part]
        if parts in (["readyz"], ["livez"], ["healthz"]):
            return web.Response(text="ok")
        self._check_client(http)
        if (document := self._document(http, parts)) is not None:
            return document
        target = self._target(parts)
        if http.method == "GET" and not target.name:
            if http.query.get("watch", "").lower() in {"1", "true"}:
                return await self._watch(http, target)
            return self._list(http, target)
        return await self._object(http, target)

    def _check_client(self, http: web.Request) -> None:
        """Refuse a wrong token, and names for loopback that a page in a browser could have invented.

        kubectl sends no token to a server without TLS, so a missing one is let in: there is one user, on loopback.
        """
        if http.headers.get("Authorization", f"Bearer {self._token}") != f"Bearer {self._token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        if (http.url.host or "") not in LOOPBACK:
            raise Refused(403, "Forbidden", f"this server answers on loopback only, not as {http.url.host}")

    # documents

    def _document(self, http: web.Request, parts: list[str]) -> web.Response | None:
        kinds = self._registry.all
        found: Body | None = None
        match parts:
            case ["version"]:
                found = discovery.version(GIT_VERSION)
            case ["api"]:
                found = self._aggregated(http, core=True) or discovery.api_versions()
            case ["apis"]:
                found = self._aggregated(http, core=False) or discovery.group_list(kinds())
            case ["api", version]:
                found = discovery.resource_list(version, kinds())
            case ["apis", group]:
                found = discovery.group(group, kinds())
            case ["apis", group, version]:
                found = discovery.resource_list(f"{group}/{version}", kinds())
            case ["openapi", "v3"]:
                found = discovery.openapi_index(kinds())
            case ["openapi", "v3", *root]:
                found = discovery.openapi("/".join(root), kinds())
            case _:
                return None
        if found is None:
            raise refusals.no_such_resource()
        response = _json(found)
        if found.get("kind") == "APIGroupDiscoveryList":
            response.headers["Content-Type"] = (
                f"application/json;g={discovery.AGGREGATED};v=v2;as=APIGroupDiscoveryList"
            )
        return response

    def _aggregated(self, http: web.Request, *, core: bool) -> Body | None:
        accepted = http.headers.get("Accept", "")
        wanted = any(f"g={discovery.AGGREGATED}" in part and "v=v2;" in f"{part};" for part in accepted.split(","))
        return discovery.aggregated(self._registry.all(), core=core) if wanted else None

    def _target(self, parts: list[str]) -> Target:
        match parts:
            case ["api", version, *rest]:
                group = ""
            case ["apis", group, version, *rest]:
                pass
            case _:
                raise refusals.no_such_resource()
        namespace = ""
        match rest:
            case ["namespaces", namespace, plural, *below] if plural not in {"status", "finalize"}:
                pass
            case [plural, *below]:
                namespace = ""
            case _:
                raise refusals.no_such_resource()
        kind = self._registry.kind(group, version, plural)
        name, subresource = (*below, "", "")[:2]
        is_misplaced = bool(namespace) and not kind.is_namespaced
        if len(below) > 2 or is_misplaced or (name and kind.is_namespaced and not namespace):
            raise refusals.no_such_resource()
        if subresource and subresource not in kind.subresources:
            raise refusals.no_such_resource()
        return Target(kind, namespace, name, subresource)

    # collections

    def _selection(self, http: web.Request, target: Target) -> Selection:
        tests = []
        if text := http.query.get("labelSelector", ""):
            tests.append(selectors.labels(text))
        if text := http.query.get("fieldSelector", ""):
            tests.append(selectors.fields(text, target.kind.kind))
        return Selection(
            kind=target.kind, namespace=target.namespace, matches=lambda body: all(test(body) for test in tests)
        )

    def _list(self, http: web.Request, target: Target) -> web.Response:
        version = _version(http)
        is_exact = http.query.get("resourceVersionMatch") == "Exact"
        page = list_page(
            self._store,
            self._selection(http, target),
            limit=int(http.query.get("limit", "0")),
            token=http.query.get("continue", ""),
            version=(version or 0) if is_exact else 0,
        )
        meta: Body = {"resourceVersion": str(page.version)}
        if page.token:
            meta["continue"] = page.token
            if not http.query.get("labelSelector") and not http.query.get("fieldSelector"):
                meta["remainingItemCount"] = page.left
        return _json(views.show_list(target.kind, page.items, meta, _view(http)))

    async def _watch(self, http: web.Request, target: Target) -> web.StreamResponse:
        view = _view(http)
        bookmarks = _flag(http, "allowWatchBookmarks")
        initial = _flag(http, "sendInitialEvents") if "sendInitialEvents" in http.query else None
        if initial is not None and http.query.get("resourceVersionMatch") != "NotOlderThan":
            error = refusals.forbidden_field(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
            raise refusals.invalid("ListOptions", "meta.k8s.io", "", [error])
        watch = Watch(self._store, self._selection(http, target))
        self._watches.add(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        try:
            watch.begin(_version(http), initial=initial, bookmarks=bookmarks)
            await response.prepare(http)
            seconds = float(http.query.get("timeoutSeconds") or WATCH_SECONDS)
            async for event in watch.events(seconds=seconds, bookmarks=bookmarks):
                shown = event["object"]
                if event["type"] not in {"ERROR", "BOOKMARK"} or view is View.METADATA:
                    shown = views.show(target.kind, shown, view) if event["type"] != "ERROR" else shown
                await response.write(orjson.dumps({"type": event["type"], "object": shown}) + b"\n")
            await response.write_eof()
        except ConnectionError:
            pass  # the client went: there is nobody left to tell
        finally:
            self._watches.discard(watch)
            watch.close()
        return response

    # objects

    async def _object(self, http: web.Request, target: Target) -> web.Response:
        data = await http.read()
        is_scale = target.subresource == "scale"
        request = _request(http, target)
        match http.method:
            case "GET":
                body = self._objects.get(target.kind, target.namespace, target.name)
                return _json(_scale(body) if is_scale else views.show(target.kind, body, _view(http)))
            case "POST" if not target.name:
                return self._written(http, target, self._objects.create(request, _decode(http, data, target.kind)))
            case "PUT" if is_scale:
                return self._rescale(request, target, lambda _: _decode(http, data, target.kind))
            case "PUT" if target.name:
                return self._written(http, target, self._objects.replace(request, _decode(http, data, target.kind)))
            case "PATCH" if target.name:
                return self._patch(http, target, request, data)
            case "DELETE":
                # With a body the options are those in it and the query is not read, a dry run there included.
                sent = _decode(http, data, target.kind) if data else {**http.query}
                options = _deletion(sent)
                request = replace(request, is_dry_run=bool(sent.get("dryRun")))
                if not target.name:
                    return self._delete_all(http, target, request, options)
                body, is_gone = self._objects.delete(request, options)
                return _json(_deleted(target, body) if is_gone else views.show(target.kind, body, View.WHOLE))
            case _:
                raise Refused(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
                )

    def _patch(self, http: web.Request, target: Target, request: Request, data: bytes) -> web.Response:
        media = http.headers.get("Content-Type", "").partition(";")[0].strip()
        patch = _decode(http, data, target.kind)
        if target.subresource == "scale":
            changes: Mapping[str, Callable[[Body], Any]] = {
                "application/json-patch+json": lambda old: patches.json_patch(old, patch),
                "application/merge-patch+json": lambda old: patches.merge(old, patch),
                "application/strategic-merge-patch+json": lambda old: patches.merge(old, patch),
            }
            if media not in changes:
                raise refusals.unsupported_media(media)
            return self._rescale(request, target, changes[media])
        match media:
            case "application/apply-patch+yaml" | "application/apply-patch+cbor":
                answer = self._objects.apply(request, patch)
            case "application/merge-patch+json":
                answer = self._objects.patch(request, lambda old: patches.merge(old, patch))
            case "application/json-patch+json":
                answer = self._objects.patch(request, lambda old: patches.json_patch(old, patch))
            case "application/strategic-merge-patch+json":
                answer = self._objects.strategic(request, patch)
            case _:
                raise refusals.unsupported_media(media)
        return self._written(http, target, answer)

    def _written(self, http: web.Request, target: Target, answer: tuple[Body, bool]) -> web.Response:
        body, is_new = answer
        return _json(views.show(target.kind, body, _view(http)), 201 if is_new else 200)

    def _rescale(self, request: Request, target: Target, change: Callable[[Body], Any]) -> web.Response:
        old = self._objects.get(target.kind, target.namespace, target.name)
        scale = change(_scale(old))
        version = scale["metadata"].get("resourceVersion", "")
        return _json(_scale(self._objects.set_replicas(request, scale.get("spec", {}).get("replicas", 0), version)))

    def _delete_all(self, http: web.Request, target: Target, request: Request, options: Deletion) -> web.Response:
        page = list_page(self._store, self._selection(http, target))
        for body in page.items:
            meta = body["metadata"]
            one = replace(request, namespace=meta.get("namespace", ""), name=meta["name"])
            self._objects.delete(one, options)
        meta_ = {"resourceVersion": str(self._store.version)}
        return _json(views.show_list(target.kind, page.items, meta_, View.WHOLE))


def _json(body: Body, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _view(http: web.Request) -> View:
    return views.wanted(http.headers.get("Accept", ""))


def _flag(http: web.Request, name: str) -> bool:
    return http.query.get(name, "").lower() in {"1", "true"}


def _version(http: web.Request) -> int | None:
    text = http.query.get("resourceVersion", "")
    if not text:
        return None
    if not text.isdigit():
        shown = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise refusals.bad_request(f"invalid resource version: resourceVersion: {shown}")
    return int(text)


def _decode(http: web.Request, data: bytes, kind: Kind) -> Any:
    """Read a body as JSON, protobuf, or YAML where it says so. Raises Refused (400) for what is none of them."""
    if data.startswith(protobuf.MAGIC):
        try:
            return protobuf.decode_options(data) if http.method == "DELETE" else protobuf.decode(data, kind)
        except ValueError as error:
            raise refusals.bad_request(f"error decoding protobuf: {error}") from error
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "yaml" not in http.headers.get("Content-Type", ""):
            raise refusals.bad_request(f"the object provided is unrecognized: {error}") from error
    try:
        return yaml.load(data, Loader=YAML_LOADER)  # noqa: S506 - a safe loader, the fast one where there is one
    except yaml.YAMLError as error:
        raise refusals.bad_request(f"error decoding YAML: {error}") from error


def _request(http: web.Request, target: Target) -> Request:
    dry_run = http.query.getall("dryRun", [])
    if any(one != "All" for one in dry_run):
        raise refusals.invalid(
            "PatchOptions", "meta.k8s.io", "", [refusals.unsupported("dryRun", ",".join(dry_run), ("All",))]
        )
    agent = http.headers.get("User-Agent", "unknown").partition("/")[0]
    is_apply = "apply-patch" in http.headers.get("Content-Type", "")
    return Request(
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        subresource=target.subresource,
        manager=http.query.get("fieldManager", "") or ("" if is_apply else agent[:128]),
        is_dry_run=bool(dry_run),
        is_forced=_flag(http, "force"),
        is_strict=http.query.get("fieldValidation") == "Strict",
    )


def _deletion(options: Body) -> Deletion:
    conditions = options.get("preconditions") or {}
    grace = options.get("gracePeriodSeconds")
    default = "Orphan" if options.get("orphanDependents") in {True, "true"} else "Background"
    return Deletion(
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        propagation=options.get("propagationPolicy") or default,
        grace_seconds=int(grace) if grace is not None else None,
    )


def _deleted(target: Target, body: Body) -> Body:
    details: Body = {"name": target.name, "kind": target.kind.plural, "uid": body["metadata"]["uid"]}
    if target.kind.group:
        details["group"] = target.kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _scale(body: Body) -> Body:
    meta = {
        name: body["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    selector = body["spec"].get("selector", {}).get("matchLabels", {})
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
        "spec": {"replicas": body["spec"].get("replicas", 0)},
        "status": {
            "replicas": body.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in sorted(selector.items())),
        },
    }  # fmt: skip
