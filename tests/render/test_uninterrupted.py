from __future__ import annotations

import gc

import pytest

from controller.model import Stalled
from controller.render import build, render
from controller.render.uninterrupted import uninterrupted
from tests.render.requests import request_of


def test_the_collector_goes_on_after_a_render_and_after_a_refusal() -> None:
    render(request_of({"deploy/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}))
    assert gc.isenabled()
    with pytest.raises(Stalled):
        build(request_of({}).application, "nowhere")
    assert gc.isenabled()


def test_whoever_has_put_it_off_already_keeps_it_so() -> None:
    with uninterrupted():
        with uninterrupted():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
