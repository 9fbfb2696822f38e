"""What ran is proven from git alone, and what is other than git says is found."""

from __future__ import annotations

import pytest

from controller.engine.history.verifying import differences_of
from controller.git import Committer, Identity, Mirrors
from controller.model import CommitId
from controller.runtime import CredentialStore, SystemClock
from tests.engine.operations.conftest import Person, person  # noqa: F401  # a fixture
from tests.fixtures.loop import Loop, config_map, deployment
from tests.git.test_changes import Write

pytestmark = pytest.mark.slow

WHO = Identity("Mallory", "mallory@example.com")
RECORD = "cmdb/dev/shop/home/{namespace}/ConfigMap/a.yaml"


async def ran(loop: Loop) -> tuple[CommitId, CommitId]:
    """Let two versions run, the second without the first one's Deployment."""
    first = await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1"), "deploy/b.yaml": deployment("b")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop", commit=first)
        second = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2"), "deploy/b.yaml": None})
        await loop.synced("shop", commit=second)
        await controller.settled()
    return first, second


async def test_every_version_that_ran_is_proven(loop: Loop, person: Person) -> None:  # noqa: F811
    first, second = await ran(loop)
    proofs = await person.reads("verify")
    assert [(one["verdict"], one["reasons"]) for one in proofs] == [("proven", [])] * len(proofs)
    commits = [one["revision"]["application"] for one in proofs]
    assert (commits[0], commits[-1]) == (second, first)
    assert await person.reads("verify", "--since", "2999-01-01") == []


async def test_a_record_that_no_commit_says_is_refuted(loop: Loop, person: Person) -> None:  # noqa: F811
    await ran(loop)
    path = RECORD.format(namespace=loop.namespace)
    text = await loop.host.show("platform", path, branch="converge-status")
    _, _, rest = text.partition("contentHash: sha256:")
    forged = text.replace(rest[:64], "0" * 64)
    mirror = Mirrors(loop.directory / "mallory", CredentialStore(loop.directory)).mirror(loop.host.url("platform"))
    async with Committer(mirror, "converge-status", identity=WHO, clock=SystemClock()) as committer:
        status = await loop.host.show("platform", "status/dev/shop.yaml", branch="converge-status")
        touched = status.encode() + b"# another state of the same version\n"
        await committer.submit(Write({path: forged.encode(), "status/dev/shop.yaml": touched}))
    done = await person.types("verify", "dev/shop")
    assert done.returncode == 1
    assert b"recorded with other content than its commits render to" in done.stdout


@pytest.mark.parametrize(
    ("recorded", "rendered", "older", "expected"),
    [
        ({"a": "1"}, {"a": "1"}, {}, ""),
        ({"a": "1"}, {"a": "2"}, {}, "other content"),
        ({"a": "1"}, {}, {}, "no commit says it"),
        ({"a": "1"}, {}, {"a": {"1"}}, ""),
        ({"a": "1"}, {}, {"a": {"2"}}, "no commit says it"),
        ({}, {"a": "1"}, {}, "was not recorded"),
    ],
)
def test_a_record_is_laid_beside_its_render(
    recorded: dict[str, str], rendered: dict[str, str], older: dict[str, set[str]], expected: str
) -> None:
    found = list(differences_of(recorded, rendered, older))
    assert [expected in one for one in found] == ([True] if expected else [])
