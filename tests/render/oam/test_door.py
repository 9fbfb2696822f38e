from __future__ import annotations

from controller.render import oam


def test_the_door_gives_what_it_names() -> None:
    assert [name for name in oam.__all__ if not hasattr(oam, name)] == []
