"""Every link and picture of what people open on the forge leads to a file that is there, whatever things are called."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from controller.model import ApplicationName, EnvironmentName, PlacementRef, TargetName
from tests.records.facts import Branch, moved, report

LINK = re.compile(r"\]\(([^()\s]*)\)")


@pytest.mark.parametrize(
    "name", ["shop", "con", "a" * 253, "Größe", "a|b", "x(y)", "a b#c?d%20", "](evil)", "`", "日本"]
)
def test_links_lead_to_files(name: str) -> None:
    branch = Branch()
    placement = PlacementRef(EnvironmentName(name), ApplicationName(name), TargetName(name))
    plain = replace(placement, environment=EnvironmentName("prod"))
    branch.record(moved(report(placement, reason="[a](b) | c")), moved(report(plain)))
    branch.overview()
    pages = [path for path in branch.files if path.endswith(".md")]
    assert len(pages) == 3
    for page in pages:
        text = branch.files[page].decode()
        links = LINK.findall(text)
        assert links
        for link in links:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(link)))
            assert target in branch.files, (page, link)
        rows = re.findall(r"(?m)(?:^\|.*\n)+", text)
        for table in rows:
            cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(cells) == 1, table
