"""A chart in a tree: its files, with the charts beside it that it depends on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from controller.documents import Dialect, locate, read
from controller.model import EntryKind, Invalid, Position, Problem, Stalled
from controller.render.needs import chart_place
from controller.render.plain import CHART_FILE, joined
from controller.render.tracking import TrackedTree

MAX_FILES: Final = 5_000
MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's files by their path inside it, sorted; `path` is its directory in its tree.

    `homes` says where in the tree a chart beside it is.
    """

    name: str
    path: str
    files: tuple[tuple[str, bytes], ...]
    homes: tuple[tuple[str, str], ...]  # a prefix inside the chart, and the directory of the tree that it stands for

    def place(self, inside: str) -> str:
        """Give the path in the tree of a file of the chart."""
        return chart_place(self.path, self.homes, inside)

    def file(self, inside: str) -> bytes | None:
        return next((data for path, data in self.files if path == inside), None)


def holds_chart(tree: TrackedTree, directory: str) -> bool:
    """Tell whether a directory is a chart. That it is none is noted."""
    return tree.kind(_in(directory, CHART_FILE)) is EntryKind.FILE


def read_chart(tree: TrackedTree, path: str) -> Chart:
    """Read a chart. Raises Invalid for a Chart.yaml that is none, and for dependencies that are not at hand."""
    about = _about(tree, path)
    files = dict(_files(tree, path, "", ()))
    homes: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for number, one in enumerate(_dependencies(about)):
        home = _missing(tree, path, files, number, one, problems)
        if home is not None:
            prefix = f"charts/{one['name']}"
            inner = read_chart(tree, home)
            files |= {f"{prefix}/{inside}": data for inside, data in inner.files}
            homes += [*((f"{prefix}/{below}", there) for below, there in inner.homes), (prefix, home)]
    if problems:
        raise Invalid(problems)
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise Stalled(f"{path or '.'}: the chart has more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB")
    return Chart(str(about["name"]), path, tuple(sorted(files.items())), tuple(homes))


def _about(tree: TrackedTree, path: str) -> dict[str, Any]:
    place = _in(path, CHART_FILE)
    about = _first(tree.read(place), place)
    if not isinstance(about, dict) or not isinstance(about.get("name"), str) or not about["name"]:
        raise Invalid([Problem(Position(place, 1), "not set, or no text", "name", "A chart needs a name.")])
    return about


def _first(data: bytes, path: str) -> Any:
    """Read the first document, as forgivingly as helm: of two equal keys the last holds."""
    documents = read(data, path=path, dialect=Dialect.KUBERNETES, strict=False)
    return documents[0].value if documents else None


def _dependencies(about: dict[str, Any]) -> list[dict[str, Any]]:
    found = about.get("dependencies")
    return [one for one in found if isinstance(one, dict) and one.get("name")] if isinstance(found, list) else []


def _missing(
    tree: TrackedTree,
    path: str,
    files: dict[str, bytes],
    number: int,
    one: dict[str, Any],
    problems: list[Problem],
) -> str | None:
    """Say where in the tree a dependency is that `charts/` does not hold; None where it does, or is a problem."""
    name, home = str(one["name"]), str(one.get("repository") or "")
    stem = f"charts/{name}"
    if any(file.startswith((f"{stem}/", f"{stem}-")) for file in files) or _is_in_charts(files, name):
        return None
    place = _in(path, CHART_FILE)
    where = locate(tree.read(place), path=place, index=0, field=("dependencies", number))
    field = f"dependencies[{number}]"
    if not home.startswith("file://"):
        advice = "Run `helm dependency build`, and commit charts/ with it: rendering has no network."
        problems.append(Problem(where, f"{name} is not in charts/", field, advice))
        return None
    target = posixpath.normpath(posixpath.join(path, home.removeprefix("file://")))
    if home.startswith("file:///") or target == ".." or target.startswith("../"):
        problems.append(Problem(where, f"{home} leads out of the repository", field, "Keep the chart inside."))
        return None
    if target in {".", path} or f"{path}/".startswith(f"{target}/"):
        problems.append(Problem(where, f"{home} leads back to the chart itself", field, "Name another chart."))
        return None
    if not holds_chart(tree, target):
        problems.append(Problem(where, f"{target} holds no {CHART_FILE}", field, "Correct the path."))
        return None
    return target


def _is_in_charts(files: dict[str, bytes], name: str) -> bool:
    """Tell whether a chart in a directory of another name is the one that is asked for."""
    for path, data in files.items():
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == "charts" and parts[2] == CHART_FILE:
            about = _first(data, path)
            if isinstance(about, dict) and about.get("name") == name:
                return True
    return False


def _files(tree: TrackedTree, path: str, inside: str, above: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Give every file below a directory. Which of them count, `.helmignore` tells helm."""
    real = tree.real_path(_in(path, inside))
    for name in tree.names(_in(path, inside)):
        below = f"{inside}/{name}" if inside else name
        place = _in(path, below)
        match tree.kind(place):
            case EntryKind.FILE:
                yield below, tree.read(place)
            case EntryKind.DIRECTORY if tree.real_path(place) not in (*above, real):
                yield from _files(tree, path, below, (*above, real))
            case _:
                continue


def _in(directory: str, name: str) -> str:
    return joined(directory, name) if name else directory
