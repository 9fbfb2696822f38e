"""Names that reach git: branches, tags, commits, and paths in a tree."""

from __future__ import annotations

import posixpath
import re

from controller.config.complaint import Complaint, quoted

# git check-ref-format(1), whose rules 1 to 10 these are
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def check_revision(text: str) -> Complaint | None:
    """Say why a text can't be a branch, a tag or a commit; "" is the repository's HEAD."""
    return check_branch(text) if text else None


def check_branch(text: str) -> Complaint | None:
    """Say why a text can't be the name of a branch or tag, or a commit's id."""
    if text.startswith("-"):
        return Complaint(f"{quoted(text)} begins with a dash, which git would take for an option")
    found = _FORBIDDEN.search(text)
    if found is not None:
        return Complaint(
            f"{quoted(text)} holds {quoted(found[0])}, which no branch or tag may", "Name one of them, or a commit."
        )
    parts = text.split("/")
    if (
        text == "@"
        or text.endswith((".", "/"))
        or any(not p or p.startswith(".") or p.endswith(".lock") for p in parts)
    ):
        return Complaint(f"{quoted(text)} is no name that git gives to a branch or tag")
    return None


def check_tree_path(text: str) -> Complaint | None:
    """Say why a text can't be a path inside a repository."""
    if any(not one.isprintable() for one in text):
        return Complaint(f"{quoted(text)} has a control character")
    if text.startswith("-"):
        return Complaint(f"{quoted(text)} begins with a dash", f"Write {quoted('./' + text)}.")
    if "\\" in text:
        return Complaint(f"{quoted(text)} has a backslash", "Separate folders by a slash.")
    if text.startswith("/"):
        return Complaint(
            f"{quoted(text)} is absolute", f"Write it from the repository's root: {quoted(text.lstrip('/') or '.')}."
        )
    if posixpath.normpath(text).split("/")[0] == "..":
        return Complaint(f"{quoted(text)} leads out of the folder it begins in", "Name one inside of it.")
    if ".git" in text.lower().split("/"):
        return Complaint(f"{quoted(text)} is git's own folder")
    return None


def tree_path(text: str) -> str:
    """Give a checked path as a Tree takes it: without `.` and `..`, "" for the root."""
    path = posixpath.normpath(text) if text else ""
    return "" if path == "." else path
