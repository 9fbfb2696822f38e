"""Values as a record may show them: no secret, no more than a person reads, times to the second in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from controller.model import (
    ABSENT,
    FieldPath,
    FieldValue,
    Hidden,
    JsonValue,
    Missing,
    ObjectKey,
    Origin,
    Revision,
    Unknown,
)

DOTS: Final = str(Hidden())
LONGEST = 1_000  # characters of a shown text
_SECRET_FIELDS = ("data", "stringData")
_COPIES = "kubectl.kubernetes.io/last-applied-configuration"  # of the whole object, values included


def shown_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown_revision(revision: Revision) -> dict[str, JsonValue]:
    return {"application": revision.application, "platform": revision.platform}


def shown_origin(origin: Origin) -> dict[str, JsonValue]:
    return {"repository": origin.repository, "path": origin.path, "line": origin.line, "commit": origin.commit}


def shown(key: ObjectKey, path: FieldPath, value: FieldValue) -> JsonValue | Missing:
    """Give what a record may say of a field's value. Values of a Secret are dots, also where nobody hid them before."""
    if value is ABSENT:
        return ABSENT
    if isinstance(value, Unknown):
        return str(value)
    if isinstance(value, Hidden) or _is_secret(key, path):
        return DOTS
    return _clean(value, is_secret=(key.group, key.kind) == ("", "Secret"))


def _is_secret(key: ObjectKey, path: FieldPath) -> bool:
    if _COPIES in path:
        return True
    return (key.group, key.kind) == ("", "Secret") and (not path or path[0] in _SECRET_FIELDS)


def _clean(value: Any, *, is_secret: bool) -> JsonValue:
    match value:
        case str():
            return value if len(value) <= LONGEST else f"{value[:LONGEST]}… ({len(value)} characters)"
        case dict():
            return {
                str(name): DOTS
                if name == _COPIES or (is_secret and name in _SECRET_FIELDS)
                else _clean(one, is_secret=is_secret)
                for name, one in sorted(value.items())
                if one is not ABSENT
            }
        case list():
            return [_clean(one, is_secret=is_secret) for one in value]
        case Hidden():
            return DOTS
        case _:
            return value  # type: ignore[no-any-return]
