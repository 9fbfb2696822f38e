"""Which programs kubeconfigs may run to log in, as CONVERGE_EXEC_PLUGINS says it."""

from __future__ import annotations

import pytest

from controller.cli.wiring import plugins_in


@pytest.mark.parametrize(
    ("text", "names"),
    [("", set()), ("aws", {"aws"}), ("aws, /usr/bin/gke ,", {"aws", "/usr/bin/gke"}), (" , ", set())],
)
def test_names_stand_between_commas_whatever_spaces_are_around_them(text: str, names: set[str]) -> None:
    assert plugins_in(text) == names
