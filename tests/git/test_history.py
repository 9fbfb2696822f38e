from __future__ import annotations

from datetime import UTC, datetime

from controller.git import Identity, Mirror
from controller.git.history import parse_commit
from controller.model import CommitId
from controller.sandbox import GitHost

ONE = CommitId("1" * 40)
TEXT = b"""tree 2222222222222222222222222222222222222222
parent 3333333333333333333333333333333333333333
parent 4444444444444444444444444444444444444444
author J\xc3\xbcrgen <j@example.com> 1767225600 +0200
committer Forge <noreply@example.com> 1767225700 +0000
gpgsig -----BEGIN SSH SIGNATURE-----
 parent not-a-parent
 -----END SSH SIGNATURE-----

Merge it

parent of nothing
"""


def test_a_signed_merge_is_read_whole() -> None:
    info = parse_commit(ONE, TEXT)
    assert (info.author, info.email) == ("Jürgen", "j@example.com")
    assert info.parents == ("3" * 40, "4" * 40)
    assert info.authored == datetime(2026, 1, 1, tzinfo=UTC)
    assert info.subject == "Merge it"
    assert "parent of nothing" in info.message


def test_another_encoding_is_understood_and_an_unknown_one_survived() -> None:
    for encoding, expected in ((b"latin-1", "Ü"), (b"klingon", "\ufffd")):
        text = TEXT.split(b"\n\n")[0] + b"\nencoding " + encoding + b"\n\n\xdc"
        assert parse_commit(ONE, text).subject == expected


def test_nonsense_is_no_crash() -> None:
    info = parse_commit(ONE, b"tree x\nauthor nobody\ncommitter <> 99999999999999999 +0000\n\n")
    assert (info.author, info.subject) == ("nobody", "")


async def test_who_wrote_it_comes_from_the_repository(git_host: GitHost, shop: Mirror) -> None:
    bob = Identity("Bob", "bob@example.com")
    commit = await git_host.commit("shop", {"a": b"1"}, message="Add a\n\nBecause.\n", author=bob)
    info = await shop.describe(commit)
    assert (info.author, info.email, info.subject) == ("Bob", "bob@example.com", "Add a")
    assert info.parents == tuple((await git_host.log("shop"))[1:])
