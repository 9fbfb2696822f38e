"""Which files go: those of what has been gone for long, and those in our folders that no record explains. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from controller.model import GroupRef, PlacementRef
from controller.records.badges import PARTS
from controller.records.files import Layered
from controller.records.paths import (
    APPLICATION,
    APPLICATIONS,
    ENVIRONMENT,
    FLEET,
    PLATFORM_STATUS,
    application_path,
    badge_path,
    page_path,
    status_path,
    target_folder,
)

YAML = ".yaml"


def placement_files(placement: PlacementRef, files: Layered) -> Iterator[str]:
    """Name the records of a placement's target and objects."""
    yield from _below(target_folder(placement), files)


def group_files(group: GroupRef, files: Layered) -> Iterator[str]:
    """Name all that is there of a group."""
    badges = [badge_path(group, ending, of=of) for of in ("", *PARTS) for ending in ("svg", "json")]
    for path in (status_path(group), page_path(group), *badges):
        if files.blob_id(path):
            yield path
    yield from _below(application_path(group).rpartition("/")[0], files)


def strays(files: Layered) -> Iterator[str]:
    """Name what lies among badges, pages and instances, and is of no group: earlier versions drew some elsewhere.

    A group is what has a status or an application's record, damaged ones too. Status files are never among these: what
    git does not say any more is known by them. Folders are listed, and no file is read.
    """
    groups = _groups(files)
    applications = {name for names in groups.values() for name in names}
    for environment in files.names("pages"):
        pages = {f"{name}.md" for name in groups.get(environment, ())}
        yield from _others(f"pages/{environment}", pages, files)
    yield from _others("pages", groups.keys(), files)
    yield from _others("badges", {APPLICATIONS, *groups, *_drawn((FLEET, *groups))}, files)
    yield from _others(f"badges/{APPLICATIONS}", _drawn(applications), files)
    for environment, names in groups.items():
        badges, parts = _drawn(names), [f"_{part}" for part in PARTS]
        yield from _others(f"badges/{environment}", badges.union(parts), files)
        for part in parts:
            yield from _others(f"badges/{environment}/{part}", badges, files)
    for environment in files.names("cmdb"):
        known = {*groups.get(environment, ()), *([f"{ENVIRONMENT}{YAML}"] if environment in groups else [])}
        yield from _others(f"cmdb/{environment}", known, files)


def _groups(files: Layered) -> dict[str, set[str]]:
    """Give the parts of paths that stand for environments, and for the applications in each."""
    found: dict[str, set[str]] = {}
    for environment in {*files.names("cmdb"), *files.names("status")} - {PLATFORM_STATUS.rpartition("/")[2]}:
        told = {name.removesuffix(YAML) for name in files.names(f"status/{environment}")}
        for name in files.names(f"cmdb/{environment}"):
            if files.blob_id(f"cmdb/{environment}/{name}/{APPLICATION}{YAML}"):
                told.add(name)
        if told:
            found[environment] = told
    return found


def _drawn(names: Iterable[str]) -> set[str]:
    return {f"{name}.{ending}" for name in names for ending in ("svg", "json")}


def _others(folder: str, known: Collection[str], files: Layered) -> Iterator[str]:
    for name in files.names(folder):
        if name not in known:
            path = f"{folder}/{name}"
            yield from [path] if files.blob_id(path) else _below(path, files)


def _below(folder: str, files: Layered) -> Iterator[str]:
    for name in files.names(folder):
        path = f"{folder}/{name}"
        if files.blob_id(path):
            yield path
        else:
            yield from _below(path, files)
