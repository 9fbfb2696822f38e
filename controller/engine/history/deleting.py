"""Whether what a version took away had the yes that it took: deletions have guards of their own, whatever the policy.

The rules are those of `targets/kubernetes/pruning.py`; what the target held is told by the records before and after.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from controller.model import Application, PlacementRef, State
from controller.records import Files, Key, is_elsewhere, parse_key
from controller.targets import ALWAYS_ALLOWED, GENERATED_KINDS, PRECIOUS

NAMED: Final = 3
TAKES: Final = "`approveDeletions: true` or an approval"


def unasked_deletions(
    placement: PlacementRef,
    before: Collection[str],
    after: Collection[str],
    application: Application,
    files: Files,
    *,
    takes: str = TAKES,
) -> str:
    """Say which deletions had no yes, "" where none did; `before` and `after` are keys that records tell as active.

    `files` are the records after them: what another application has there now was moved, and not deleted.
    `takes` names the yes.
    """
    if application.approve_deletions or application.state is not State.PRESENT:
        return ""
    left = {_base(parse_key(one)) for one in after}
    gone = [
        key
        for one in sorted(set(before) - set(after))
        if _base(key := parse_key(one)) not in left and not is_elsewhere(files, placement, key)
    ]
    limit = max(ALWAYS_ALLOWED, len(before) * application.sync.deletions_percent // 100)
    named = [key for key in gone if key.model in PRECIOUS] or (gone if len(gone) > limit else [])
    if not named:
        return ""
    told = ", ".join(f"{key.model} {key.name}" for key in named[:NAMED])
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return (
        f"{told}{more} went with it, of {len(before)} objects: deleting them takes {takes}, and that was not "
        "given, unless they were left behind on the target"
    )


def _base(key: Key) -> tuple[str, str, str]:
    """Give the same for all generated versions of an object."""
    name = key.name.rpartition("-")[0] if key.model in GENERATED_KINDS and "-" in key.name else key.name
    return key.namespace, key.model, name
