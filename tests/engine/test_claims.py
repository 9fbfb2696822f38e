import pytest

from controller.engine.claims import Claims
from controller.model import ObjectKey, PlacementRef, Stalled
from tests.engine.make import desired, key, manifest, placement

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


def share(claims: Claims, ref: PlacementRef, *, live: bool = False) -> frozenset[ObjectKey]:
    keys = frozenset({key("web")})
    return claims.claim(desired(manifest("web"), ref=ref), shared=keys, live=keys if live else frozenset())


def test_a_shared_object_is_left_to_who_has_it_and_comes_to_the_next_when_he_lets_go() -> None:
    woken: list[PlacementRef] = []
    claims = Claims(woken.append)
    assert share(claims, SHOP) == frozenset()
    assert share(claims, OTHER) == {key("web")}
    assert claims.neighbours(SHOP, [key("web")]).moving == {key("web")}, "nobody deletes what the other asks for"
    claims.claim(desired(ref=SHOP))
    assert woken == [OTHER]
    assert share(claims, OTHER) == frozenset()


def test_whose_a_shared_object_is_on_the_target_has_it_whoever_came_first() -> None:
    woken: list[PlacementRef] = []
    claims = Claims(woken.append)
    share(claims, OTHER)
    assert share(claims, SHOP, live=True) == frozenset()
    assert woken == [OTHER]
    assert share(claims, OTHER) == {key("web")}


def test_an_object_is_shared_only_where_both_say_so() -> None:
    claims = Claims()
    claims.claim(desired(manifest("web"), ref=SHOP))
    with pytest.raises(Stalled, match="belongs to prod/shop@hz"):
        share(claims, OTHER)
