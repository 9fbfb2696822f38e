"""ConfigMaps and Secrets made of files, literals and env files (api/internal/generators and api/kv at v0.18.0)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.documents import Quoted
from controller.model import Origin, Stalled
from controller.render.kustomize.loading import Loader
from controller.render.kustomize.nodes import as_key, styled
from controller.render.kustomize.resource import BEHAVIOR, NEEDS_HASH, Resource

_LINE_LENGTH: Final = 70
_MAX_LINE_BYTES: Final = 65_536  # of Go's bufio.Scanner, which stops there without a word
_BEHAVIORS: Final = {"create": "create", "merge": "merge", "replace": "replace"}


def merge_options(mine: Mapping[str, Any] | None, shared: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Fill a generator's options from `generatorOptions`; what is on there can't be switched off here."""
    if shared is None:
        return mine
    own = mine or {"labels": {}, "annotations": {}, "disableNameSuffixHash": False, "immutable": False}
    return {
        "labels": {**shared["labels"], **own["labels"]},
        "annotations": {**shared["annotations"], **own["annotations"]},
        "disableNameSuffixHash": own["disableNameSuffixHash"] or shared["disableNameSuffixHash"],
        "immutable": own["immutable"] or shared["immutable"],
    }


def generate(
    loader: Loader, kind: str, args: Mapping[str, Any], options: Mapping[str, Any] | None, source: Origin | None
) -> Resource:
    """Make one ConfigMap or Secret."""
    if not args["name"]:
        raise Stalled(f"a generated {kind} needs a name")
    value: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": {"name": Quoted(args["name"])}}
    if args["namespace"]:
        value["metadata"]["namespace"] = Quoted(args["namespace"])
    if kind == "Secret":
        value["type"] = styled(args["type"] or "Opaque")
    _fill(value, kind, dict(_pairs(loader, args)))
    made = Resource(value, source)
    for field in ("labels", "annotations"):
        texts = options[field] if options else {}
        if texts:
            value["metadata"][field] = {as_key(key): Quoted(texts[key]) for key in sorted(texts)}
    if options and options["immutable"]:
        value["immutable"] = True
    if not options or not options["disableNameSuffixHash"]:
        made.enable(NEEDS_HASH)
    made.set_annotations({**made.annotations, BEHAVIOR: _BEHAVIORS.get(args["behavior"], "unspecified")})
    return made


def _fill(value: dict[str, Any], kind: str, pairs: dict[str, bytes]) -> None:
    if kind == "Secret":
        value["data"] = {as_key(key): _base64(pairs[key]) for key in sorted(pairs)}
        return
    for key in sorted(pairs):
        try:
            text, field = pairs[key].decode(), "data"
        except UnicodeDecodeError:
            text, field = _base64(pairs[key]), "binaryData"
        value.setdefault(field, {})[as_key(key)] = styled(text)


def _base64(data: bytes) -> str:
    """Encode as kustomize does: folded at 70 characters when it is longer than one line."""
    text = base64.b64encode(data).decode()
    if len(text) < _LINE_LENGTH:
        return text
    return "".join(f"{text[at : at + _LINE_LENGTH]}\n" for at in range(0, len(text), _LINE_LENGTH))


def _pairs(loader: Loader, args: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Read every pair: of env files, then literals, then files. Raises Stalled for a key that comes twice."""
    seen: set[str] = set()
    for key, data in (*_of_envs(loader, args), *_of_literals(args), *_of_files(loader, args)):
        if key in seen:
            raise Stalled(f"{args['name']}: the key {key} comes twice")
        seen.add(key)
        yield key, data


def _of_envs(loader: Loader, args: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for path in args["envs"]:
        data = loader.read_text_file(path)
        for number, raw in enumerate(data.removesuffix(b"\n").split(b"\n") if data else ()):
            if len(raw) >= _MAX_LINE_BYTES:
                break
            try:
                text = raw.removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                raise Stalled(f"{loader.place(path)}:{number + 1}: not UTF-8") from error
            text = (text.removeprefix("\ufeff") if number == 0 else text).lstrip(_GO_SPACES)
            if text and not text.startswith("#"):
                key, _, rest = text.partition("=")
                if key:
                    yield key, rest.encode()


_GO_SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def _of_literals(args: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for literal in args["literals"]:
        key, equals, text = literal.partition("=")
        if not key or not equals:
            raise Stalled(f"{args['name']}: the literal {literal!r} is not key=value")
        if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        yield key, text.encode()


def _of_files(loader: Loader, args: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for source in args["files"]:
        key, equals, path = source.partition("=")
        if not equals:
            key, path = source.rstrip("/").rpartition("/")[2], source
        elif not key or not path or "=" in path:
            raise Stalled(f"{args['name']}: {source!r} is not path or key=path")
        yield key, loader.read_text_file(path)
