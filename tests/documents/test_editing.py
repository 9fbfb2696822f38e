import pytest

from controller.documents import DELETE, edit
from controller.model import Invalid

FILE = b"""# whose this is
spec:
  repositories:
    shop: {url: "https://git.example.com/shop.git"}   # the shop
    billing:
      url: https://git.example.com/billing.git
"""


def test_comments_and_layout_stay() -> None:
    edited = edit(
        FILE, {("spec", "repositories", "shop", "url"): "https://git.example.org/shop.git"}, path="converge.yaml"
    )
    assert edited == FILE.replace(b"https://git.example.com/shop.git", b"https://git.example.org/shop.git")


def test_missing_maps_are_made() -> None:
    edited = edit(b"a: 1\n", {("b", "c"): True}, path="x.yaml")
    assert edited == b"a: 1\nb:\n  c: true\n"


def test_a_key_can_be_taken_away() -> None:
    assert edit(b"a: 1\nb: 2\n", {("a",): DELETE}, path="x.yaml") == b"b: 2\n"


def test_a_path_through_a_value_is_refused() -> None:
    with pytest.raises(Invalid, match=r"x\.yaml"):
        edit(b"a: 1\n", {("a", "b"): 2}, path="x.yaml")
