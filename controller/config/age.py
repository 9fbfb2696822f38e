"""age's public keys, as `age-keygen` prints them: Bech32 (BIP 173) of 32 bytes with the prefix `age`."""

from __future__ import annotations

from typing import Final

from controller.config.complaint import Complaint, quoted

_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX: Final = "age"
_LENGTH: Final = 62  # the prefix, a 1, 52 letters for 256 bits, and 6 of the checksum


def check_recipient(text: str) -> Complaint | None:
    """Say what is wrong with a public key. An identity, which is a secret, is never repeated."""
    if text.upper().startswith("AGE-SECRET-KEY"):
        return Complaint(
            "this is an identity, which is a secret: it belongs into the credential store, and never into git",
            "Make a new one, and write its public key (`age-keygen -y FILE` prints it).",
        )
    if len(text) == _LENGTH and text.startswith("age1") and set(text[4:]) <= set(_LETTERS) and _has_checksum(text):
        return None
    return Complaint(f"{quoted(text)} is no public key of age", "`age-keygen -y FILE` prints one: age1…")


def _has_checksum(text: str) -> bool:
    prefix = [ord(one) >> 5 for one in _PREFIX] + [0] + [ord(one) & 31 for one in _PREFIX]
    check = 1
    for value in (*prefix, *(_LETTERS.index(one) for one in text[len(_PREFIX) + 1 :])):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            check ^= generator if top >> bit & 1 else 0
    return check == 1
