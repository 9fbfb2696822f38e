"""What the server answers to a write, sorted by meaning and not by status code.

The API server speaks of misfortune in few codes: a field that its schema does not know is a 500, a missing namespace
and a kind that is not served are both 404, a full quota and a namespace that goes away are both 403. What decides is
what happens next: a human must change something (Stalled), something else must finish first (Waiting), or the world
hiccuped (Transient). Pure. Every rule here was seen on kube-apiserver 1.36; the texts are those of
`k8s.io/apimachinery/pkg/api/errors` and `k8s.io/apiserver`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.model import ConvergeError, ObjectKey, Stalled, Transient, Unequipped, Waiting
from controller.targets.kubernetes.conflict_fields import conflict_text
from controller.targets.kubernetes.connection import Response
from controller.targets.kubernetes.status import Status, conflicts_of, is_immutable, read_status

WEBHOOK = re.compile(r'admission webhook "(?P<name>[^"]+)"')
UNGRANTED = re.compile(  # `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)" '
    r'(?:in the namespace "(?P<namespace>[^"]*)"|at the cluster scope)'
)
GO_VALUE = re.compile(r"&value\.valueUnstructured\{Value:(.*?)\}")


@dataclass(frozen=True, slots=True)
class Coming:
    """What the same plan is about to create: a refusal for the lack of it is no mistake."""

    namespaces: frozenset[str] = field(default_factory=frozenset)
    group_kinds: frozenset[str] = field(default_factory=frozenset)


NOTHING_COMING: Final = Coming()


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
    stalled = [one for one in errors if isinstance(one, Stalled)]
    if stalled:
        return Unequipped(texts) if all(isinstance(one, Unequipped) for one in stalled) else Stalled(texts)
    if any(isinstance(one, Waiting) for one in errors):
        return Waiting(texts)
    retry = max((one.retry_after_seconds for one in errors if isinstance(one, Transient)), default=0.0)
    return Transient(texts, retry_after_seconds=retry)


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


def _not_granted(status: Status, _key: ObjectKey, _coming: Coming) -> ConvergeError | None:
    """Say whom RBAC keeps from what, and which rule would let him."""
    match = UNGRANTED.search(status.message) if status.code == 403 else None
    if match is None:
        return None
    resource, group = match["resource"], match["group"]
    if match["verb"].startswith("impersonate"):  # or KEP-5284's narrower `impersonate-on:serviceaccount:patch`
        return Stalled(
            f"{match['user']} may not write in the place of the application's service account. Bind it to a Role in "
            f'the account\'s namespace with the rule {{apiGroups: [""], resources: ["serviceaccounts"], '
            f'resourceNames: [its name], verbs: ["impersonate"]}}'
        )
    spoken = f"{resource}.{group}" if group else resource
    where = f"in namespace {match['namespace']}" if match["namespace"] else "in the whole cluster"
    verbs = ("create", "patch") if match["verb"] in {"create", "patch"} else (match["verb"],)  # an apply asks for both
    quoted = ", ".join(f'"{one}"' for one in verbs)
    rule = f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{quoted}]}}'
    return Stalled(
        f"{match['user']} may not {match['verb']} {spoken} {where}. "
        f"Bind it to a {'Role' if match['namespace'] else 'ClusterRole'} with the rule {rule}"
    )


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
    return Unequipped(  # whoever makes it does so without a commit
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
    found = conflicts_of(status)
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
    _not_granted,
    _forbidden,
    _missing_namespace,
    _missing_kind,
    _conflict,
    _invalid,
    _hiccup,
    _our_mistake,
)
