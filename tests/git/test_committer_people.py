"""What commits that a person asks for need of the committer: a branch for review, a reason, the default branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.git import Committer, Files, Identity, Mirror
from controller.git.changes import compose_message
from controller.git.refs import read_symref
from controller.runtime import SystemClock
from controller.sandbox import GitHost
from tests.git.test_changes import Write

WHO = Identity("Wang Li", "li@example.com")


@dataclass(frozen=True)
class Told:
    body: str
    subject: str = "Suspend prod/shop"
    trailers: tuple[tuple[str, str], ...] = (("Group", "prod/shop"),)

    def derive(self, _: Files) -> Mapping[str, bytes | None]:
        return {"a": b"2"}


def test_a_reason_stands_between_subject_and_trailers() -> None:
    message = compose_message([Told("Checkout is slow.\x07\n\nSince noon.")])
    assert message == "Suspend prod/shop\n\nCheckout is slow.\n\nSince noon.\n\nGroup: prod/shop\n"
    assert compose_message([Told("")]) == "Suspend prod/shop\n\nGroup: prod/shop\n"


async def test_a_branch_for_review_begins_where_it_is_told(git_host: GitHost, shop: Mirror) -> None:
    main = await shop.resolve("main")
    async with Committer(shop, "review/1", identity=WHO, clock=SystemClock(), suffix="", start=main) as committer:
        commit = await committer.submit(Write({"a": b"2"}))
    assert await git_host.log("shop", "review/1") == [commit, main]
    assert await git_host.log("shop") == [main]


async def test_the_default_branch_is_told(git_host: GitHost, shop: Mirror) -> None:
    await git_host.commit("shop", {"a": b"9"}, branch="another")
    assert await shop.default_branch() == "main"


def test_a_host_that_tells_no_default_branch_is_not_guessed_for() -> None:
    assert read_symref("ref: refs/heads/a/b\tHEAD\n1234\tHEAD\n") == "a/b"
    assert read_symref("1234\tHEAD\n") == ""
