"""Which paths a model of a user's own may not tell, each with its reason: what may be secret, what moves by itself.

Every platform commit may be written in haste, and a records branch is kept for good: in doubt a path is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from controller.model import FactPath, is_secretive

Names = tuple[str, ...]
Objection = Callable[[str, Names], str]  # a kind, and the fields that a path goes through; "" where it may

SERVERS_OWN: Final = frozenset(
    {"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
OF_SECRETS: Final = ("type", "immutable", "metadata")
ENVIRONMENTS: Final = ("env", "envs", "envvars")  # what names of fields end with, such as `extraEnvVars`
OF_ENVIRONMENTS: Final = ("name", "valueFrom")
NAMING: Final = ("name", "namespace", "kind")
NAMED_BY: Final = ("secret", "credential", "credentials")  # often the name of a Secret; in a relation nothing else


def objection(kind: str, path: FactPath, *, is_relation: bool = False) -> str:
    """Say why a path of a kind may not be told; "" where it may. `kind` is `Kind.group`."""
    for names in _walks(path):
        for one in OBJECTIONS:
            if found := one(kind, names):
                return found
        if not (is_relation and names and names[-1].lower().endswith(NAMED_BY)) and (found := _by_name(names)):
            return found
    return ""


def _walks(path: FactPath) -> Iterator[Names]:
    """Give the fields that a path goes through, and those whose values name what it finds."""
    names: Names = ()
    for step in path:
        if step.by:
            yield (*names, *step.by.split("."))
        elif step.name:
            names = (*names, step.name)
    yield names


def _moving(_kind: str, names: Names) -> str:
    if names[:1] == ("status",):
        return "status moves by itself, and records tell what git says"
    if names[:1] == ("metadata",) and SERVERS_OWN.intersection(names[1:2]):
        return f"the server writes metadata.{names[1]}, and records tell what git says"
    return ""


def _of_secrets(kind: str, names: Names) -> str:
    first = names[0] if names else ""
    if kind == "Secret" and first not in OF_SECRETS:
        return "nothing of a Secret is told but its type, labels and annotations"
    if "stringData" in names or "encryptedData" in names:
        return "these are values of a Secret"
    if kind.partition(".")[0].endswith("Secret") and "data" in names:
        return "these are values of a Secret"
    return ""


def _of_config_maps(kind: str, names: Names) -> str:
    if kind == "ConfigMap" and (names == ("data",) or names[:1] == ("binaryData",)):
        return "what a ConfigMap holds may be secret as a whole; one key of its data may be told, such as data.region"
    return ""


def _of_environments(_kind: str, names: Names) -> str:
    for name, following in zip(names, (*names[1:], ""), strict=True):
        if name.lower().endswith(ENVIRONMENTS) and following not in OF_ENVIRONMENTS:
            return "values of environment variables may be secrets"
        if name in ("args", "command"):
            return "arguments may hold secrets"
    return ""


def _of_annotations(_kind: str, names: Names) -> str:
    if names == ("metadata", "annotations"):
        return 'annotations hold whatever programs write there; one of them may be told, ["such.as/this"]'
    if names[:2] == ("metadata", "annotations") and LAST_APPLIED in names:
        return "this annotation is a copy of the whole object"
    return ""


def _by_name(names: Names) -> str:
    if not names or names[-1] in NAMING or names[-1].endswith(("Name", "Ref")):
        return ""  # the name of a Secret is no secret
    found = next(filter(is_secretive, names), "")
    return f"a field called {found} probably holds a secret" if found else ""


OBJECTIONS: Final[tuple[Objection, ...]] = (_moving, _of_secrets, _of_config_maps, _of_environments, _of_annotations)
