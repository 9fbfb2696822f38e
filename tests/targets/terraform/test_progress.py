from __future__ import annotations

import pytest

from controller.targets.terraform.diagnostics import Progress, progress_of

HOOK = b'{"type":"%s","hook":{"resource":{"addr":"aws_db.main[0]"},"action":"create","elapsed_seconds":%d}}'


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("apply_start", "started"),
        ("apply_progress", "goes on"),
        ("apply_complete", "done"),
        ("apply_errored", "failed"),
    ],
)
def test_each_step_of_a_resource_is_told(kind: str, step: str) -> None:
    assert progress_of(HOOK % (kind.encode(), 20)) == Progress("aws_db.main[0]", "create", step, 20.0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Terraform v1.5",
        b"[]",
        b'{"type":"version"}',
        b'{"type":"apply_start"}',
        b'{"type":"refresh_start","hook":{"resource":{"addr":"a.b"}}}',
    ],
)
def test_other_lines_are_about_no_resource(line: bytes) -> None:
    assert progress_of(line) is None
