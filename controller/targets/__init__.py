"""Where things live: one package per kind of target, each behind the same four methods."""

from controller.targets.asking import Consent, consent_of, is_shared
from controller.targets.deletions import ALWAYS_ALLOWED, GENERATED_KINDS, PRECIOUS
from controller.targets.protocol import Target
from controller.targets.releasing import next_end, redigested, release
from controller.targets.states import Overtaken, StateKeeper, StateMark

__all__ = [
    "ALWAYS_ALLOWED",
    "GENERATED_KINDS",
    "PRECIOUS",
    "Consent",
    "Overtaken",
    "StateKeeper",
    "StateMark",
    "Target",
    "consent_of",
    "is_shared",
    "next_end",
    "redigested",
    "release",
]
