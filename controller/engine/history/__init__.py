"""What ran where and when, read from the records branch's own log; and what a version changed, rendered again."""

from controller.engine.history.comparing import FieldDifference, ObjectDifference, compare
from controller.engine.history.reading import Approved, History, approvals_by_version, read_approvals, read_history
from controller.engine.history.rendering import desired_at, differences
from controller.engine.history.versions import State, Version, is_version, pick, version_to_roll_back_to, versions

__all__ = [
    "Approved",
    "FieldDifference",
    "History",
    "ObjectDifference",
    "State",
    "Version",
    "approvals_by_version",
    "compare",
    "desired_at",
    "differences",
    "is_version",
    "pick",
    "read_approvals",
    "read_history",
    "version_to_roll_back_to",
    "versions",
]
