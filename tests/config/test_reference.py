from __future__ import annotations

import re
from pathlib import Path

from controller.config.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_made_from_the_schemas_of_today() -> None:
    assert PAGE.read_text() == reference(), "run: python -m controller.config > docs/configuration.md"


def test_every_table_row_has_its_four_cells() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
