"""A state as it is kept in git: a line that says which it is, and behind it what age made of the state. Pure.

    {"after":{…},"format":"converge-state/1","lineage":"…","mac":"…","placement":"prod/shop@cloud","serial":7}⏎
    age( gzip( the state ) )

So a person with an identity reads it with nothing of ours: `tail -n +2 FILE | age -d -i KEY | zcat`.

Recipients are public: whoever may push to the branch could seal a state of his own. Hence `mac`, an HMAC over all else
by a key that is derived from the controller's identity; and `after`, the state that this one took the place of, so that
one lineage follows another only where somebody with the identity said so.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from controller.model import PlacementRef, Secret, Stalled
from controller.targets.states import StateMark

FORMAT: Final = "converge-state/1"
_PURPOSE: Final = b"converge-state/1 authentication"
_LONGEST_HEADER: Final = 4_096


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    placement: str
    lineage: str
    serial: int
    after: StateMark | None = None
    mac: str = ""

    @property
    def mark(self) -> StateMark:
        return StateMark(self.lineage, self.serial)


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed state that was authenticated and opened."""

    mark: StateMark
    after: StateMark | None
    data: bytes = field(repr=False)


class _Counted(msgspec.Struct):
    lineage: str
    serial: int
    version: int = 0


def mark_of_state(data: bytes) -> StateMark:
    """Read which state it is. Raises Stalled for what is no state."""
    try:
        found = msgspec.json.decode(data, type=_Counted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Stalled("this is no Terraform state: it has no lineage and serial") from error
    if not found.lineage:
        raise Stalled("this is no Terraform state: its lineage is empty")
    return StateMark(found.lineage, found.serial)


def is_newer(new: Opened, seen: StateMark) -> bool:
    """Tell whether a state may follow one that was seen: the same or a later one, or one put in its place."""
    if new.mark.lineage == seen.lineage:
        return new.mark.serial >= seen.serial
    return new.after is not None and new.after.lineage == seen.lineage and new.after.serial >= seen.serial


class Sealer:
    """Seals and opens states of one target. `identities` is an identity file's content, our own identity first."""

    def __init__(self, identities: Secret, recipients: Iterable[str]) -> None:
        """Raises Stalled for keys that are none, and where our own is not among the recipients."""
        import pyrage  # noqa: PLC0415  # only where states are kept in git

        texts = [line.strip() for line in identities.reveal_text().splitlines()]
        self._texts = tuple(Secret(one.encode()) for one in texts if one and not one.startswith("#"))
        if not self._texts:
            raise Stalled("age.key holds no identity. `age-keygen` makes one")
        try:
            self._identities = tuple(pyrage.x25519.Identity.from_str(one.reveal_text()) for one in self._texts)
        except pyrage.IdentityError:
            # What the library says may quote the line.
            raise Stalled("age.key holds a line that is no identity of age (AGE-SECRET-KEY-1…)") from None
        try:
            named = tuple(recipients)
            self._recipients = tuple(pyrage.x25519.Recipient.from_str(one) for one in named)
        except pyrage.RecipientError as error:
            raise Stalled(f"`recipients` holds what is no public key of age: {error}") from error
        own = str(self._identities[0].to_public())
        if own not in named:
            raise Stalled(
                "`recipients` lacks the controller's own public key, so that it could not read what it writes. "
                f"Add {own}"
            )

    def seal(self, placement: PlacementRef, data: bytes, *, after: StateMark | None) -> bytes:
        """Seal a state. Raises Stalled for what is no state."""
        import pyrage  # noqa: PLC0415

        mark = mark_of_state(data)
        body: bytes = pyrage.encrypt(gzip.compress(data, 9, mtime=0), list(self._recipients))
        header = _Header(format=FORMAT, placement=str(placement), lineage=mark.lineage, serial=mark.serial, after=after)
        signed = msgspec.structs.replace(header, mac=_mac(self._texts[0], header, body))
        return b"\n".join((_encoded(signed), body))

    def open(self, placement: PlacementRef, sealed: bytes) -> Opened:
        """Open a state of a placement. Raises Stalled for one that is another's, was changed, or is not for us."""
        import pyrage  # noqa: PLC0415

        header, body = _parted(sealed)
        bare = msgspec.structs.replace(header, mac="")
        if not any(hmac.compare_digest(_mac(one, bare, body), header.mac) for one in self._texts):
            raise Stalled(
                "it was not sealed with an identity in age.key, or changed since. If the controller's identity was "
                "replaced, put the earlier one behind the new one; else look who pushed to the branch"
            )
        if header.placement != str(placement):
            raise Stalled(f"it is the state of {header.placement}: somebody has moved the file")
        try:
            data = gzip.decompress(pyrage.decrypt(body, list(self._identities)))
        except (pyrage.DecryptError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise Stalled("no identity in age.key opens it") from error
        if mark_of_state(data) != header.mark:
            raise Stalled("its header names another state than it holds")
        return Opened(header.mark, header.after, data)


def _parted(sealed: bytes) -> tuple[_Header, bytes]:
    line, newline, _ = sealed[:_LONGEST_HEADER].partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Stalled("it does not begin with the line that says which state it is") from error
    if header.format != FORMAT or not newline or line != _encoded(header):
        raise Stalled(f"it has the format {header.format!r}, which this version does not know")
    return header, sealed[len(line) + 1 :]


def _encoded(header: _Header) -> bytes:
    return msgspec.json.encode(header, order="sorted")


def _mac(identity: Secret, header: _Header, body: bytes) -> str:
    key = hmac.digest(identity.reveal(), _PURPOSE, "sha256")
    return hmac.new(key, _encoded(header) + b"\n" + hashlib.sha256(body).digest(), "sha256").hexdigest()
