"""The tables of docs/records.md, made from the schemas: `python -m controller.records.reference PAGE` renews them."""

from __future__ import annotations

import sys
from pathlib import Path

from controller.config import field_tables
from controller.records.earlier import schemas

MARK = "<!-- Made from controller/records/schemas by `python -m controller.records.reference docs/records.md`. -->"


def renewed(page: str) -> str:
    """Give a page whose part after the mark is made from the schemas of today."""
    head = page.partition(MARK)[0]
    parts = [MARK, ""]
    for kind, schema in schemas().items():
        parts += [f"## {kind}\n\n{schema['description']}\n", *field_tables(schema)]
    return head + "\n".join(parts)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text()))
