"""What the server answers to a write, sorted by meaning and not by status code.

The API server speaks of misfortune in few codes: a field that its schema does not know is a 500, a missing namespace
and a kind that is not served are both 404, a full quota and a namespace that goes away are both 403. What decides is
what happens next: a human must change something (Stalled), something else must finish first (Waiting), or the world
hiccuped (Transient). Pure. Every rule here was seen on kube-apiserver 1.36; the texts are those of
`k8s.io/apimachinery/pkg/api/errors` and `k8s.io/apiserver`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from controller.model import ConvergeError, Element, FieldPath, ObjectKey, Stalled, Step, Transient, Waiting
from controller.targets.kubernetes.connection import Response

TERMINATING_SECONDS: Final = 5.0  # how soon to look again at what is being deleted: no watch of ours tells
CONFLICT = re.compile(
    r'^conflict with "(?P<manager>.*?)"(?: with subresource "(?P<subresource>[^"]*)")?(?: using .*)?$'
)
WEBHOOK = re.compile(r'admission webhook "(?P<name>[^"]+)"')
GO_VALUE = re.compile(r"&value\.valueUnstructured\{Value:(.*?)\}")
ELEMENT_KEY = re.compile(r'([^=,\[\]]*)=("(?:[^"\\]|\\.)*"|[^,\]]*)')


@dataclass(frozen=True, slots=True)
class Status:
    """A `metav1.Status`, as far as it was one."""

    code: int
    reason: str
    message: str
    details: dict[str, Any]
    retry_after_seconds: float = 0.0

    @property
    def causes(self) -> tuple[tuple[str, str, str], ...]:
        """Give reason, field and message of each cause."""
        return tuple(
            (str(one.get("reason", "")), str(one.get("field", "")), str(one.get("message", "")))
            for one in self.details.get("causes") or ()
            if isinstance(one, dict)
        )


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field that another manager owns with another value."""

    manager: str
    subresource: str
    field: str  # as the server writes it: `.spec.template.spec.containers[name="web"].image`

    @property
    def who(self) -> str:
        return f"{self.manager} ({self.subresource})" if self.subresource else self.manager


@dataclass(frozen=True, slots=True)
class Coming:
    """What the same plan is about to create: a refusal for the lack of it is no mistake."""

    namespaces: frozenset[str] = field(default_factory=frozenset)
    group_kinds: frozenset[str] = field(default_factory=frozenset)


NOTHING_COMING: Final = Coming()


def read_status(response: Response) -> Status:
    """Read an answer that is not a success; what is no Status (a proxy's page, "404 page not found") is its text."""
    try:
        decoded = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        decoded = None
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        text = response.body[:300].decode(errors="replace").strip()
        return Status(response.status, "", text, {}, response.retry_after_seconds)
    details = decoded.get("details") or {}
    retry = response.retry_after_seconds or float(details.get("retryAfterSeconds") or 0)
    return Status(response.status, str(decoded.get("reason", "")), str(decoded.get("message", "")), details, retry)


def conflicts(response: Response) -> tuple[Conflict, ...]:
    """Give the fields that others own, when that is why an apply was refused; else nothing."""
    if response.status != 409:
        return ()
    found = []
    for reason, where, message in read_status(response).causes:
        match = CONFLICT.match(message)
        if reason == "FieldManagerConflict" and match:
            found.append(Conflict(match["manager"], match["subresource"] or "", where))
    return tuple(found)


def is_modified(response: Response) -> bool:
    """Tell whether a write met another version (or another uid) of the object than it was made for."""
    return response.status == 409 and not conflicts(response) and read_status(response).reason == "Conflict"


def is_missing_namespace(response: Response) -> str:
    """Name the namespace whose absence refused a write; "" when it was something else."""
    if response.status != 404:
        return ""
    details = read_status(response).details
    return str(details.get("name", "")) if details.get("kind") == "namespaces" else ""


def is_dry_run_unsupported(response: Response) -> bool:
    """Tell whether a webhook with side effects makes a dry run impossible (`webhook.NewDryRunUnsupportedErr`)."""
    return response.status == 400 and "does not support dry run" in read_status(response).message


def refusal(response: Response, key: ObjectKey, *, where: str = "", coming: Coming = NOTHING_COMING) -> ConvergeError:
    """Say what a refused write of `key` means. `where` is its file and line, for the reader."""
    status = read_status(response)
    name = f"{key} ({where})" if where else str(key)
    for rule in RULES:
        error = rule(status, key, coming)
        if error is not None:
            return _named(error, name)
    return Transient(f"{name}: the server answered {status.code}: {_text(status, key)}")


def combined(errors: Sequence[ConvergeError]) -> ConvergeError:
    """Put every failure of a stage into one error: the kind that needs a human most wins, every message stays."""
    texts = "\n".join(dict.fromkeys(str(one) for one in errors))
    if any(isinstance(one, Stalled) for one in errors):
        return Stalled(texts)
    if any(isinstance(one, Waiting) for one in errors):
        return Waiting(texts)
    retry = max((one.retry_after_seconds for one in errors if isinstance(one, Transient)), default=0.0)
    return Transient(texts, retry_after_seconds=retry)


def conflict_text(found: Iterable[Conflict]) -> str:
    """Say who manages which fields: `kube-controller-manager (scale) manages spec.replicas`."""
    by_manager: dict[str, list[str]] = {}
    for one in found:
        by_manager.setdefault(one.who, []).append(one.field.removeprefix("."))
    return "; ".join(f"{who} manages {', '.join(fields)}" for who, fields in by_manager.items())


def conflict_path(text: str, body: Any) -> FieldPath:
    """Resolve a conflict's field against the body that was sent.

    The server writes a name without quotes (`.metadata.labels.app.kubernetes.io/name`), so only the body tells where
    one name ends. What the body does not explain stays one step, as it was written.
    """
    path: list[Step] = []
    rest, node = text, body
    while rest:
        step, length, node = _next_step(rest, node)
        path.append(step)
        rest = rest[length:]
    return tuple(path)


def _next_step(rest: str, node: Any) -> tuple[Step, int, Any]:
    if rest.startswith("["):
        end = _end_of_element(rest)
        step = _element(rest[1 : end - 1])
        return step, end, _element_of(node, step)
    names = (name for name in node if _starts_with_name(rest, name)) if isinstance(node, dict) else ()
    name = max(names, key=len, default="")
    if name:
        return name, len(name) + 1, node[name]
    plain = re.match(r"\.?([^.\[]*)", rest)
    length = max(len(plain[0]), 1) if plain else len(rest)
    return rest[:length].removeprefix("."), length, None


def _starts_with_name(rest: str, name: str) -> bool:
    return rest.startswith(f".{name}") and rest[len(name) + 1 : len(name) + 2] in {"", ".", "["}


def _end_of_element(rest: str) -> int:
    is_quoted = is_escaped = False
    for index, letter in enumerate(rest):
        if is_escaped:
            is_escaped = False
        elif letter == "\\":
            is_escaped = is_quoted
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter == "]" and not is_quoted:
            return index + 1
    return len(rest)


def _element(inside: str) -> Step:
    if inside.isdigit():
        return int(inside)
    return Element(tuple((name, _scalar(value)) for name, value in ELEMENT_KEY.findall(inside)))


def _scalar(text: str) -> str | int | bool:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, str | int | bool) else text


def _element_of(node: Any, step: Step) -> Any:
    if not isinstance(node, list):
        return None
    if isinstance(step, int):
        return node[step] if step < len(node) else None
    if isinstance(step, str):
        return None
    return next((one for one in node if _is_element(one, step)), None)


def _is_element(one: Any, element: Element) -> bool:
    # A key that the body leaves out was defaulted by the server: it does not speak against the element.
    said = [(name, value) for name, value in element.keys if isinstance(one, dict) and name in one]
    return bool(said) and all(one[name] == value for name, value in said)


def _named(error: ConvergeError, name: str) -> ConvergeError:
    if isinstance(error, Transient):
        return Transient(f"{name}: {error}", retry_after_seconds=error.retry_after_seconds)
    return type(error)(f"{name}: {error}")


def _text(status: Status, key: ObjectKey) -> str:
    """Give the server's words; of a Secret only the fields, because the words quote values (rule 9)."""
    if key.kind != "Secret" or key.group:
        return status.message or f"status {status.code}"
    fields = sorted({where for _, where, _ in status.causes if where})
    said = f"{status.reason or 'refused'} (status {status.code})"
    return f"{said} at {', '.join(fields)}" if fields else said


Rule = Callable[[Status, ObjectKey, Coming], ConvergeError | None]


def _unauthorized(status: Status, _key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 401:
        return None
    return Stalled("the server does not accept our credentials (401). Renew them in the credential store")


def _throttled(status: Status, _key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 429:
        return None
    return Transient("the server is busy (429)", retry_after_seconds=status.retry_after_seconds or 1.0)


def _webhook_denied(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    match = WEBHOOK.search(status.message)
    if not match or "denied the request" not in status.message:
        return None
    return Stalled(f"admission webhook {match['name']} denied it: {_text(status, key)}")


def _webhook_down(status: Status, _key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if "failed calling webhook" in status.message:
        match = re.search(r'failed calling webhook "([^"]+)"', status.message)
        return Transient(
            f"admission webhook {match[1] if match else ''} does not answer: {_last_clause(status.message)}"
        )
    if "conversion webhook for" in status.message:
        return Transient(f"the kind's conversion webhook does not answer: {_last_clause(status.message)}")
    return None


def _last_clause(message: str) -> str:
    return message.rsplit(": ", 1)[-1]


def _untyped(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    """Answer to a body that does not fit the kind's schema (structured-merge-diff's errors come as 500)."""
    is_secret = key.kind == "Secret" and not key.group
    if "failed to convert new object" in status.message:
        why = _last_clause(status.message)
        if is_secret and not why.startswith("illegal base64"):
            why = "a value does not fit the kind"
        return Stalled(f"{why}. Correct it in git")
    if "failed to create typed patch object" not in status.message:
        return None
    where, _, why = status.message.partition("): ")[2].partition(": ")
    if is_secret:
        return Stalled(f"{where.removeprefix('.')} does not fit the kind's schema. Correct it in git")
    why = GO_VALUE.sub(r"\1", why)
    return Stalled(f"{where.removeprefix('.')}: {why or 'does not fit the schema'}. Correct it in git")


def _terminating(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if any(reason == "NamespaceTerminating" for reason, _, _ in status.causes):
        return Waiting(f"namespace {key.namespace} is being deleted")
    if status.reason == "AlreadyExists" and "object is being deleted" in status.message:
        return Waiting("the object of this name is still being deleted")
    return None


def _quota(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 403 or "exceeded quota" not in status.message:
        return None
    return Stalled(
        f"{_after(status.message, 'exceeded quota')}. Ask for less, or have the quota of {key.namespace} raised"
    )


def _after(message: str, marker: str) -> str:
    return message[message.index(marker) :]


def _forbidden(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 403:
        return None
    return Stalled(f"the cluster's permissions or policies do not let us: {_text(status, key)}")


def _missing_namespace(status: Status, _key: ObjectKey, coming: Coming) -> ConvergeError | None:
    if status.code != 404 or status.details.get("kind") != "namespaces":
        return None
    name = str(status.details.get("name", ""))
    if name in coming.namespaces:
        return Waiting(f"namespace {name} is being created")
    return Stalled(
        f"namespace {name} does not exist. Add it to the application, or set createNamespace: true on its entry"
    )


def _missing_kind(status: Status, key: ObjectKey, coming: Coming) -> ConvergeError | None:
    if status.code not in {404, 405} or status.details.get("name"):
        return None
    return no_such_kind(key, "", coming)


def no_such_kind(key: ObjectKey, api_version: str, coming: Coming = NOTHING_COMING) -> ConvergeError:
    """Say that the server does not serve a kind: Waiting where the plan brings its definition."""
    if key.group_kind in coming.group_kinds:
        return Waiting(f"{key.group_kind}: its CustomResourceDefinition is being created")
    version = f' in version "{api_version}"' if api_version else ""
    return Stalled(
        f'no matches for kind "{key.kind}"{version}. '
        f"Install its CustomResourceDefinition first, or correct apiVersion and kind"
    )


def _conflict(status: Status, _key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 409:
        return None
    found = [
        Conflict(match["manager"], match["subresource"] or "", where)
        for reason, where, message in status.causes
        if reason == "FieldManagerConflict" and (match := CONFLICT.match(message))
    ]
    if found:
        return Stalled(f"{conflict_text(found)}. Leave these fields out of git, or have their manager let go of them")
    return Transient(f"it changed while we wrote: {status.message}")


def _invalid(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code != 422:
        return None
    if is_immutable(status):
        fields = ", ".join(sorted({where for _, where, _ in status.causes if where}))
        return Stalled(
            f"{fields} can't be changed once it is set. Undo the change in git, give the object a new name, or have it "
            f'made anew: annotation converge/replace: "immutable"'
        )
    if key.kind == "Secret" and not key.group:
        return Stalled(_text(status, key))
    causes = dict.fromkeys(f"{where}: {message}" if where else message for _, where, message in status.causes)
    return Stalled(f"{'; '.join(causes) or status.message}. Correct it in git")


def is_immutable(status: Status) -> bool:
    """Tell whether an update was refused only because it touches what can't change."""
    texts = [message for _, _, message in status.causes]
    return bool(texts) and all(
        "field is immutable" in text
        or "may not change once set" in text
        or "updates to statefulset spec for fields" in text
        for text in texts
    )


def _hiccup(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if status.code < 500 and status.code not in {408, 410}:
        return None
    return Transient(
        f"the server answered {status.code}: {_text(status, key)}", retry_after_seconds=status.retry_after_seconds
    )


def _our_mistake(status: Status, key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    if not 400 <= status.code < 500:
        return None
    return Stalled(f"the server refused it ({status.code}): {_text(status, key)}")


RULES: tuple[Rule, ...] = (
    _unauthorized,
    _throttled,
    _webhook_denied,
    _webhook_down,
    _untyped,
    _terminating,
    _quota,
    _forbidden,
    _missing_namespace,
    _missing_kind,
    _conflict,
    _invalid,
    _hiccup,
    _our_mistake,
)
