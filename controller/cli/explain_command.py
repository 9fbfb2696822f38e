"""`converge explain`: where a field's value comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from controller.cli.options import PlatformOptions, output_option, platform_options, run_async
from controller.model import (
    FieldPath,
    JsonValue,
    Manifest,
    Missing,
    Origin,
    PlacementRef,
    Stalled,
    format_path,
    parse_path,
)

if TYPE_CHECKING:
    from controller.engine import Snapshot
    from controller.git import CommitInfo
    from controller.render import Setting

MASK = "•••"


@dataclass(frozen=True, slots=True)
class _Explained:
    """One field of one object in one placement, and the places it comes from, each with the commit that wrote it."""

    placement: PlacementRef
    manifest: Manifest
    field: FieldPath
    value: JsonValue
    settings: tuple[tuple[Setting, CommitInfo | None], ...]

    @property
    def is_secret(self) -> bool:
        return self.manifest.key.group_kind == "Secret" and self.field[:1] in {("data",), ("stringData",)}


@click.command("explain")
@click.argument("placement", metavar="ENV/APP[@TARGET]")
@click.argument("name", metavar="KIND/NAME")
@click.argument("field", metavar="FIELD")
@platform_options
@click.option("--namespace", "-n", default="", help="The object's, where several have the same kind and name.")
@output_option
def command(*, placement: str, name: str, field: str, platform: PlatformOptions, namespace: str, output: str) -> None:
    """Say where a field's value is set, by whom and when, and what it is set over.

    FIELD is written as plans print it: spec.template.spec.containers[web].image. KIND may name its group, as in
    Deployment.apps. No cluster is asked.
    """
    kind, _, object_name = name.partition("/")
    if not kind or not object_name:
        raise click.BadParameter("write KIND/NAME, such as Deployment/web", param_hint="KIND/NAME")
    try:
        path = parse_path(field)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="FIELD") from error
    if not path:
        raise click.BadParameter("name a field, such as spec.replicas", param_hint="FIELD")
    run_async(_explain(placement, (kind, namespace, object_name), path, platform, output=output))


async def _explain(
    wanted: str, name: tuple[str, str, str], path: FieldPath, platform: PlatformOptions, *, output: str
) -> None:
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import look_once  # noqa: PLC0415

    snapshot, _ = await look_once(platform)
    explained = [await _explained(snapshot, one, name, path) for one in snapshot.select([wanted])]
    if output == "json":
        print_json([_as_json(one) for one in explained])
        return
    for one in explained:
        for line in _lines(one):
            click.echo(line)


async def _explained(
    snapshot: Snapshot, placement: PlacementRef, name: tuple[str, str, str], path: FieldPath
) -> _Explained:
    from controller.cli.blame import last_change  # noqa: PLC0415
    from controller.documents import decode  # noqa: PLC0415
    from controller.render import explain, resolve, value_at  # noqa: PLC0415

    manifest = find((await snapshot.rendered(placement)).desired.manifests, *name, where=str(placement))
    body = decode(manifest.body)
    field = resolve(body, path)
    request = snapshot.request(placement)
    settings = await snapshot.renderer.workshop.work(
        lambda prepared: asyncio.to_thread(explain, replace(request, prepared=prepared), manifest.key, field)
    )
    value = value_at(body, field)
    assert not isinstance(value, Missing)  # noqa: S101  # `explain` has refused what is not there
    commits = [await last_change(snapshot.sources[one.origin.repository].mirror, one.origin) for one in settings]
    return _Explained(placement, manifest, field, value, tuple(zip(settings, commits, strict=True)))


def find(manifests: Sequence[Manifest], kind: str, namespace: str, name: str, *, where: str) -> Manifest:
    """Find one object by its kind (in any case, with or without its group) and name. Raises Stalled. Pure."""
    of_kind = [one for one in manifests if kind.lower() in {one.key.kind.lower(), one.key.group_kind.lower()}]
    found = [one for one in of_kind if one.key.name == name and namespace in {"", one.key.namespace}]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(str(one.key) for one in found)
        raise Stalled(f"{kind}/{name} is several objects of {where}: {several}. Add the group or --namespace")
    known = ", ".join(sorted(f"{one.key.kind}/{one.key.name}" for one in of_kind or manifests)[:20])
    raise Stalled(f"{where} renders no {kind}/{name}{f' in {namespace}' if namespace else ''}. It has: {known or '-'}")


def _lines(one: _Explained) -> Iterable[str]:
    from controller.documents import canonical  # noqa: PLC0415

    value = MASK if one.is_secret else canonical(one.value).decode()
    yield click.style(f"{one.placement}  {one.manifest.key}", bold=True)
    yield f"{format_path(one.field)} = {value}"
    if not one.settings:
        yield "  is written in no file: a generator, a transformer or a default makes it, or it is more than one value"
    texts: dict[tuple[Origin, bool], list[str]] = {}  # a value can be made of several parts of one line
    for setting, _ in one.settings:
        texts.setdefault((setting.origin, setting.overridden), []).append(setting.text)
    for setting, info in one.settings:
        parts = texts.pop((setting.origin, setting.overridden), [])
        if not parts:
            continue
        words = "through" if setting.is_template else "over  " if setting.overridden else "set by"
        head = click.style(words, fg="yellow" if setting.overridden or setting.is_template else "green")
        what = f"  {', '.join(parts)}" if all(parts) and not one.is_secret else ""
        origin = setting.origin
        yield f"  {head}  {origin}:{setting.column} of {origin.repository}{click.style(what, dim=True)}"
        if info is not None:
            yield click.style(f"          {info.commit[:12]}  {_who(info)}  {info.subject}", dim=True)


def _who(info: CommitInfo) -> str:
    return f"{info.author} <{info.email}>, {info.authored:%Y-%m-%d %H:%M}Z"


def _as_json(one: _Explained) -> dict[str, Any]:
    key = one.manifest.key
    return {
        "placement": str(one.placement),
        "object": {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name},
        "field": format_path(one.field),
        "value": MASK if one.is_secret else one.value,
        "settings": [_setting_json(setting, info, is_secret=one.is_secret) for setting, info in one.settings],
    }


def _setting_json(setting: Setting, info: CommitInfo | None, *, is_secret: bool) -> dict[str, Any]:
    origin = setting.origin
    found: dict[str, Any] = {
        "repository": origin.repository,
        "path": origin.path,
        "line": origin.line,
        "column": setting.column,
        "revision": origin.commit,
        "overridden": setting.overridden,
        "template": setting.is_template,
    }
    if setting.text and not is_secret:
        found["text"] = setting.text
    if info is not None:
        author = {"name": info.author, "email": info.email, "time": info.authored.isoformat()}
        found["commit"] = {"id": info.commit, "author": author, "subject": info.subject}
    return found
