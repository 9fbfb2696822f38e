"""How the controller's own commits are made, as converge.yaml says."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.git import SUMMARY, Identity, Mirrors, Sign
from controller.model import Commits


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """`said` is what it was made from: two styles of the same are equal."""

    identity: Identity
    said: Commits = field(default_factory=Commits)
    subject: str = field(default=SUMMARY, compare=False)
    sign: Sign | None = field(default=None, compare=False)


def style_of(commits: Commits, identity: Identity, mirrors: Mirrors) -> Style:
    """Give the style that a platform asks for; the identity counts where it names none."""
    return Style(
        identity=Identity(commits.name or identity.name, commits.email or identity.email),
        said=commits,
        subject=commits.subject or SUMMARY,
        sign=mirrors.signing(commits.sign) if commits.sign else None,
    )
