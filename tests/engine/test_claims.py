import pytest

from controller.engine.claims import Claims
from controller.model import Stalled
from tests.engine.make import desired, manifest, placement

SHOP, OTHER = placement("shop"), placement("other")


def test_the_first_to_claim_an_object_keeps_it_and_the_other_is_told_who_has_it() -> None:
    claims = Claims()
    claims.claim(desired(manifest("web"), ref=SHOP))
    with pytest.raises(Stalled, match=r"web\.yaml:1: Deployment\.apps shop/web belongs to prod/shop@hz"):
        claims.claim(desired(manifest("api"), manifest("web"), ref=OTHER))
    claims.claim(desired(manifest("api"), ref=SHOP))


def test_a_released_object_can_be_claimed() -> None:
    claims = Claims()
    claims.claim(desired(manifest("web"), ref=SHOP))
    claims.claim(desired(manifest("api"), ref=SHOP))
    claims.claim(desired(manifest("web"), ref=OTHER))


def test_the_same_object_on_another_target_is_another_object() -> None:
    claims = Claims()
    claims.claim(desired(manifest("web"), ref=SHOP))
    claims.claim(desired(manifest("web"), ref=placement("other", target="sh")))
