"""What the server refuses, as the Status objects that clients sort by code, reason and causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.model import JsonValue
from controller.sandbox.cluster.schema import Body, Kind


class Refused(Exception):
    """A request that is answered with a Status object."""

    def __init__(self, code: int, reason: str, message: str, details: Body | None = None) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        super().__init__(message)

    def status(self) -> Body:
        body: Body = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "code": self.code,
        }  # fmt: skip
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is not valid, in the words of apimachinery's field.Error."""

    field: str
    reason: (
        str  # FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden
    )
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def wrong(field: str, value: JsonValue, detail: str) -> FieldError:
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}")


def unsupported(field: str, value: JsonValue, supported: Sequence[str]) -> FieldError:
    known = ", ".join(f'"{one}"' for one in supported)
    return FieldError(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {known}")


def duplicate(field: str, value: JsonValue) -> FieldError:
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def forbidden_field(field: str, detail: str) -> FieldError:
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def _shown(value: JsonValue) -> str:
    import json  # noqa: PLC0415 - only where something is refused

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _named(kind: Kind, name: str) -> Body:
    details: Body = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    return details


def not_found(kind: Kind, name: str) -> Refused:
    return Refused(404, "NotFound", f'{kind.resource} "{name}" not found', {**_named(kind, name), "kind": kind.plural})


def no_such_resource() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> Refused:
    message = f'{kind.resource} "{name}" already exists'
    return Refused(409, "AlreadyExists", message, {**_named(kind, name), "kind": kind.plural})


def conflict(kind: Kind, name: str, why: str) -> Refused:
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Refused(409, "Conflict", message, {**_named(kind, name), "kind": kind.plural})


def modified(kind: Kind, name: str) -> Refused:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def precondition(kind: Kind, name: str, why: str) -> Refused:
    message = f'Operation cannot be fulfilled on {kind.kind}{f".{kind.group}" if kind.group else ""} "{name}": {why}'
    return Refused(409, "Conflict", message, {**_named(kind, name), "kind": kind.kind})


def invalid(kind_name: str, group: str, name: str, errors: Sequence[FieldError]) -> Refused:
    shown = str(errors[0]) if len(errors) == 1 else "[" + ", ".join(map(str, errors)) + "]"
    subject = f"{kind_name}.{group}" if group else kind_name
    details: Body = {"name": name} if name else {}
    if group:
        details["group"] = group
    causes: list[JsonValue] = [
        {"reason": one.reason, "message": one.message, "field": one.field} for one in errors
    ]  # fmt: skip
    return Refused(
        422, "Invalid", f'{subject} "{name}" is invalid: {shown}', {**details, "kind": kind_name, "causes": causes}
    )


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def untyped_patch(namespace: str, name: str, api_version: str, kind: str, problems: Sequence[str]) -> Refused:
    """What a server answers to an apply that its schema does not take: a plain 500, without a reason."""
    shown = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in problems)
    version = api_version if "/" in api_version else f"/{api_version}"
    where = f"{namespace}/{name}; {version}, Kind={kind}"
    return Refused(500, "", f"failed to create typed patch object ({where}): {shown}")


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Body] = ()) -> Refused:
    details: Body = {**_named(kind, name), "kind": kind.plural}
    if causes:
        details["causes"] = list(causes)
    return Refused(403, "Forbidden", f'{kind.resource} "{name}" is forbidden: {why}', details)


def expired(message: str) -> Refused:
    return Refused(410, "Expired", message)


def unsupported_media(content_type: str) -> Refused:
    message = "the body of the request was in an unknown format - accepted media types include: application/json"
    message += f" (not {content_type})"
    return Refused(415, "UnsupportedMediaType", message)
