"""A sealed state opens for whom it is meant, and nobody who lacks the identity can make or change one."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import ApplicationName, Secret, Stalled
from controller.targets import StateMark
from controller.targets.terraform.sealing import Opened, Sealer, is_newer
from tests.targets.terraform.placing import REF

OURS = pyrage.x25519.Identity.generate()
RECOVERY = pyrage.x25519.Identity.generate()
STRANGER = pyrage.x25519.Identity.generate()
RECIPIENTS = tuple(str(one.to_public()) for one in (OURS, RECOVERY))


def state(serial: int = 7, lineage: str = "one", **more: object) -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, **more}).encode()


def sealer(*identities: pyrage.x25519.Identity, recipients: tuple[str, ...] = RECIPIENTS) -> Sealer:
    text = "# created: today\n" + "\n".join(map(str, identities or (OURS,))) + "\n"
    return Sealer(Secret(text.encode()), recipients)


@given(st.binary(max_size=2_000))
def test_what_was_sealed_opens_to_the_same_bytes(noise: bytes) -> None:
    data = state(noise=noise.hex())
    opened = sealer().open(REF, sealer().seal(REF, data, after=None))
    assert (opened.data, opened.mark) == (data, StateMark("one", 7))


def test_the_recovery_key_alone_reads_it_without_anything_of_ours() -> None:
    sealed = sealer().seal(REF, state(), after=None)
    body = sealed.partition(b"\n")[2]
    assert gzip.decompress(pyrage.decrypt(body, [RECOVERY])) == state()


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_found_wherever_it_is(place: int, change: int) -> None:
    sealed = bytearray(sealer().seal(REF, state(), after=StateMark("zero", 3)))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(Stalled):
        sealer().open(REF, bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 40, 300])
def test_a_cut_file_is_no_state(length: int) -> None:
    with pytest.raises(Stalled):
        sealer().open(REF, sealer().seal(REF, state(), after=None)[:length])


def test_who_knows_the_recipients_alone_can_forge_none() -> None:
    public = tuple(str(one.to_public()) for one in (STRANGER, OURS, RECOVERY))
    forged = sealer(STRANGER, recipients=public).seal(REF, state(), after=None)
    with pytest.raises(Stalled, match="not sealed with an identity"):
        sealer().open(REF, forged)


def test_a_state_moved_to_another_placement_is_refused() -> None:
    other = replace(REF, application=ApplicationName("billing"))
    with pytest.raises(Stalled, match="prod/shop@cloud"):
        sealer().open(other, sealer().seal(REF, state(), after=None))


def test_an_earlier_identity_behind_the_new_one_opens_what_it_sealed() -> None:
    sealed = sealer().seal(REF, state(), after=None)
    recipients = (str(STRANGER.to_public()), *RECIPIENTS)
    assert sealer(STRANGER, OURS, recipients=recipients).open(REF, sealed).data == state()
    with pytest.raises(Stalled):
        sealer(STRANGER, recipients=recipients).open(REF, sealed)


def test_a_controller_that_could_not_read_its_own_states_is_refused() -> None:
    with pytest.raises(Stalled, match=str(OURS.to_public())):
        sealer(recipients=(str(RECOVERY.to_public()), str(STRANGER.to_public())))


@pytest.mark.parametrize("text", ["", "# nothing\n", "AGE-SECRET-KEY-1CANARY\n"])
def test_a_bad_identity_file_is_told_without_its_content(text: str) -> None:
    with pytest.raises(Stalled) as raised:
        Sealer(Secret(text.encode()), RECIPIENTS)
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"version": 4}', b'{"serial": 1, "lineage": ""}', b"\xff"])
def test_what_is_no_state_is_not_sealed(data: bytes) -> None:
    with pytest.raises(Stalled, match="no Terraform state"):
        sealer().seal(REF, data, after=None)


@pytest.mark.parametrize(
    ("mark", "after", "seen", "holds"),
    [
        (StateMark("a", 5), None, StateMark("a", 5), True),
        (StateMark("a", 6), None, StateMark("a", 5), True),
        (StateMark("a", 4), None, StateMark("a", 5), False),
        (StateMark("b", 9), None, StateMark("a", 5), False),
        (StateMark("b", 1), StateMark("a", 5), StateMark("a", 5), True),
        (StateMark("b", 1), StateMark("a", 4), StateMark("a", 5), False),
        (StateMark("a", 5), StateMark("a", 4), StateMark("b", 1), False),
    ],
)
def test_only_what_is_newer_or_was_put_in_its_place_follows(
    mark: StateMark, after: StateMark | None, seen: StateMark, *, holds: bool
) -> None:
    assert is_newer(Opened(mark, after, b""), seen) is holds
