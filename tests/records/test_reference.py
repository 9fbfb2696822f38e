from __future__ import annotations

from pathlib import Path

from controller.records.reference import MARK, renewed

PAGE = Path(__file__).parents[2] / "docs" / "records.md"


def test_the_page_s_tables_are_those_of_the_schemas_of_today() -> None:
    page = PAGE.read_text()
    assert page == renewed(page), "run: python -m controller.records.reference docs/records.md"
    assert page.count(MARK) == 1
