"""What ran where and when, read from the records branch's own log; and what a version changed, rendered again."""

from controller.engine.history.comparing import FieldDifference, ObjectDifference, compare
from controller.engine.history.reading import Approved, History, approvals_by_version, read_approvals, read_history
from controller.engine.history.rendering import differences, render_at
from controller.engine.history.verifying import Proof, Sources, Verdict, prove
from controller.engine.history.versions import State, Version, is_version, pick, version_to_roll_back_to, versions

__all__ = [
    "Approved",
    "FieldDifference",
    "History",
    "ObjectDifference",
    "Proof",
    "Sources",
    "State",
    "Verdict",
    "Version",
    "approvals_by_version",
    "compare",
    "differences",
    "is_version",
    "pick",
    "prove",
    "read_approvals",
    "read_history",
    "render_at",
    "version_to_roll_back_to",
    "versions",
]
