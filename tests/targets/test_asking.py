from __future__ import annotations

from dataclasses import replace

import pytest

from controller.documents import canonical
from controller.model import Manifest, Stalled
from controller.targets import Consent, consent_of, is_shared
from controller.targets.asking import said_releases
from tests.engine.make import manifest


def asking(**annotations: str) -> Manifest:
    named = {f"converge/{name}": value for name, value in annotations.items()}
    return replace(manifest(), body=canonical({"metadata": {"annotations": {**named}}}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [("true", Consent()), ("false", None), ("30m", Consent(1800)), ("1h30m5s", Consent(5405)), ("90s", Consent(90))],
)
def test_a_yes_is_asked_for_always_or_for_a_time(said: str, expected: Consent | None) -> None:
    assert consent_of(asking(approve=said)) == expected


@pytest.mark.parametrize("said", ["yes", "", "30", "-1h"])
def test_a_yes_that_means_nothing_is_refused(said: str) -> None:
    with pytest.raises(Stalled, match=r"web\.yaml:1.*converge/approve.*means nothing"):
        consent_of(asking(approve=said))


def test_fields_are_left_to_others_for_good_or_while_somebody_holds_them() -> None:
    found = said_releases(asking(ignore="spec.replicas\n/spec/paused while held\n*\n"))
    assert [(one.field, one.managers) for one in found] == [
        ("spec.replicas", ()), ("/spec/paused", ("*",)), ("", ("*",)),
    ]  # fmt: skip


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(Stalled, match="no field path"):
        said_releases(asking(ignore="spec..replicas"))


def test_an_object_without_annotations_asks_for_nothing() -> None:
    assert (consent_of(manifest()), said_releases(manifest()), is_shared(manifest())) == (None, (), False)
    assert is_shared(asking(share="true"))
