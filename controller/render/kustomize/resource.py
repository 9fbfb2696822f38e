"""One resource, with the names it has had (api/resource at v0.18.0).

Kustomize keeps its notes about a resource in the resource's own annotations while it builds. So do we, since users
can see it: a patch that adds an annotation works on a resource that has none when a prefix was added before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controller.model import Origin, Stalled
from controller.render.kustomize.identity import DEFAULT, Gvk, ResId, gvk_of, is_cluster_scoped
from controller.render.kustomize.nodes import (
    MISSING,
    Missing,
    as_key,
    copied,
    is_absent,
    is_empty,
    resolved,
    restyled,
    set_field,
    styled,
    text_of,
)

_DOMAIN: Final = "internal.config.kubernetes.io"
PREVIOUS_KINDS: Final = f"{_DOMAIN}/previousKinds"
PREVIOUS_NAMES: Final = f"{_DOMAIN}/previousNames"
PREVIOUS_NAMESPACES: Final = f"{_DOMAIN}/previousNamespaces"
PREFIXES: Final = f"{_DOMAIN}/prefixes"
SUFFIXES: Final = f"{_DOMAIN}/suffixes"
BEHAVIOR: Final = f"{_DOMAIN}/generatorBehavior"
NEEDS_HASH: Final = f"{_DOMAIN}/needsHashSuffix"
ALLOW_NAME_CHANGE: Final = f"{_DOMAIN}/allowNameChange"
ALLOW_KIND_CHANGE: Final = f"{_DOMAIN}/allowKindChange"
ORIGIN: Final = "config.kubernetes.io/origin"
TRANSFORMATIONS: Final = "alpha.config.kubernetes.io/transformations"
BUILD_ANNOTATIONS: Final = frozenset((
    PREVIOUS_KINDS, PREVIOUS_NAMES, PREFIXES, SUFFIXES, PREVIOUS_NAMESPACES, ALLOW_NAME_CHANGE, ALLOW_KIND_CHANGE,
    BEHAVIOR, NEEDS_HASH, f"{_DOMAIN}/refBy",
    f"{_DOMAIN}/path", f"{_DOMAIN}/index", f"{_DOMAIN}/seqindent", f"{_DOMAIN}/id",
    f"{_DOMAIN}/annotations-migration-resource-id",
    "config.kubernetes.io/path", "config.kubernetes.io/index", "config.k8s.io/id",
))  # fmt: skip
ENABLED: Final = "enabled"
_PREVIOUS: Final = (PREVIOUS_NAMES, PREVIOUS_NAMESPACES, PREVIOUS_KINDS)
_NO_METADATA: Final[dict[str, Any]] = {}
_IMMUTABLE: Final = frozenset({str, Missing})  # the texts of an id that are known to be the same if they are identical


class Resource:
    """An object and, beside it, where it came from and which vars read it."""

    __slots__ = ("_id", "_id_texts", "index", "item", "refvars", "source", "value")

    def __init__(self, value: dict[str, Any], source: Origin | None = None, *, index: int = -1, item: int = -1) -> None:
        self.value = value
        self.source = source
        self.index = index  # of its document in the source's file
        self.item = item
        self.refvars: list[str] = []
        self._id_texts: tuple[Any, ...] = (None, None, None, None)
        self._id = ResId()

    def copy(self) -> Resource:
        made = Resource(copied(self.value), self.source, index=self.index, item=self.item)
        made.refvars = list(self.refvars)
        return made

    @property
    def kind(self) -> str:
        return text_of(self.value.get("kind", MISSING))

    @property
    def api_version(self) -> str:
        return text_of(self.value.get("apiVersion", MISSING))

    @property
    def gvk(self) -> Gvk:
        api_version, kind = self.value.get("apiVersion"), self.value.get("kind")
        if api_version.__class__ is str and kind.__class__ is str:
            return gvk_of(api_version, kind)
        return self.id.gvk

    @property
    def name(self) -> str:
        return self.id.name

    @property
    def namespace(self) -> str:
        return self.id.namespace

    @property
    def is_empty(self) -> bool:
        return not self.value

    @property
    def id(self) -> ResId:
        """Give the id that the resource has now: the same one as long as its four texts are the same."""
        value = self.value
        metadata = value.get("metadata")
        fields = metadata if metadata.__class__ is dict else _NO_METADATA
        api_version, kind = value.get("apiVersion", MISSING), value.get("kind", MISSING)
        name, namespace = fields.get("name", MISSING), fields.get("namespace", MISSING)
        texts = self._id_texts
        if texts[2] is name and texts[3] is namespace and texts[1] is kind and texts[0] is api_version:
            return self._id
        group_version, its_kind = text_of(api_version), text_of(kind)
        scoped = is_cluster_scoped(group_version, its_kind)
        made = ResId(gvk_of(group_version, its_kind), _meta_text(name), _meta_text(namespace), scoped)
        texts = (api_version, kind, name, namespace)
        if _IMMUTABLE.issuperset(map(type, texts)):
            self._id_texts, self._id = texts, made
        return made

    @property
    def previous_ids(self) -> list[ResId]:
        """List the ids that the resource had, the oldest first."""
        annotations = self._raw_annotations()
        if PREVIOUS_NAMES not in annotations:
            return []
        names, namespaces, kinds = [text_of(annotations.get(note, MISSING)).split(",") for note in _PREVIOUS]
        if not len(names) == len(namespaces) == len(kinds):  # an empty one is not noted
            raise Stalled(f"{self.source or self.id}: a patch has taken the kind or the name away")
        api_version = self.gvk.api_version
        return [
            ResId(gvk_of(api_version, kind), name, namespace)
            for name, namespace, kind in zip(names, namespaces, kinds, strict=True)
        ]

    @property
    def original_id(self) -> ResId:
        previous = self.previous_ids
        return previous[0] if previous else self.id

    @property
    def original_gvk(self) -> Gvk:
        """Give group and version as they are, and the kind that the resource had at first."""
        previous = self.previous_ids
        return previous[0].gvk if previous else self.gvk

    @property
    def ids(self) -> list[ResId]:
        return [*self.previous_ids, self.id]

    def store_previous_id(self) -> None:
        now = self.id
        notes = (
            (PREVIOUS_NAMES, now.name),
            (PREVIOUS_NAMESPACES, now.effective_namespace),
            (PREVIOUS_KINDS, now.gvk.kind),
        )
        self._append_notes(notes)

    def _raw_annotations(self) -> dict[str, Any]:
        metadata = self.value.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return annotations if isinstance(annotations, dict) else {}

    @property
    def has_annotations(self) -> bool:
        return bool(self._raw_annotations())

    def annotation(self, name: str) -> str | None:
        """Give the text of one annotation; None where there is none of this name."""
        value = self._raw_annotations().get(name, MISSING)
        return None if value is MISSING else text_of(value)

    @property
    def annotations(self) -> dict[str, str]:
        return {key: text_of(value) for key, value in self._raw_annotations().items()}

    @property
    def labels(self) -> dict[str, str]:
        metadata = self.value.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        return {key: text_of(value) for key, value in labels.items()} if isinstance(labels, dict) else {}

    def set_annotations(self, values: dict[str, str]) -> None:
        self._set_texts("annotations", values)

    def set_labels(self, values: dict[str, str]) -> None:
        self._set_texts("labels", values)

    def _set_texts(self, field: str, values: dict[str, str]) -> None:
        metadata = self.metadata()
        metadata.pop(field, None)
        if values:
            metadata[field] = {as_key(key): styled(values[key]) for key in sorted(values)}

    def metadata(self) -> dict[str, Any]:
        """Give the metadata, made where there is none. Raises Stalled for metadata that is no mapping."""
        metadata = self.value.get("metadata")
        if isinstance(metadata, dict):
            return metadata
        if not is_absent(self.value.get("metadata", MISSING)):
            raise Stalled(f"{self.source or self.kind}: metadata is no mapping")
        made = self.value["metadata"] = {}
        return made

    def notes(self, annotation: str) -> list[str]:
        """List what is noted under one annotation."""
        value = self._raw_annotations().get(annotation, MISSING)
        return [] if value is MISSING else text_of(value).split(",")

    def append_note(self, annotation: str, text: str) -> None:
        """Note a text behind what is noted already. An empty one is not noted."""
        if text:
            self._append_notes([(annotation, text)])

    def _append_notes(self, notes: Iterable[tuple[str, str]]) -> None:
        metadata = self.metadata()
        annotations = metadata.get("annotations")
        if not isinstance(annotations, dict):
            annotations = metadata["annotations"] = {}
        for annotation, text in notes:
            if text:
                old = annotations.get(annotation, MISSING)
                annotations[annotation] = text if old is MISSING else f"{text_of(old)},{text}"

    def is_enabled(self, annotation: str) -> bool:
        return text_of(self._raw_annotations().get(annotation, MISSING)) == ENABLED

    def enable(self, annotation: str) -> None:
        self.set_annotations({**self.annotations, annotation: ENABLED})

    def set_name(self, name: str) -> None:
        _set_untyped(self.metadata(), "name", name)

    def set_namespace(self, namespace: str) -> None:
        if namespace:
            _set_untyped(self.metadata(), "namespace", namespace)
        elif isinstance(self.value.get("metadata"), dict):
            self.value["metadata"].pop("namespace", None)

    def set_kind(self, kind: str) -> None:
        _set_untyped(self.value, "kind", kind)

    def set_gvk(self, gvk: Gvk) -> None:
        set_field(self.value, "kind", gvk.kind)
        set_field(self.value, "apiVersion", gvk.api_version)

    def take_metadata_from(self, other: Resource) -> None:
        """Merge labels and annotations over another's, and take its name and namespace."""
        self.set_labels({**other.labels, **self.labels})
        mine, theirs = self.annotations, other.annotations
        merged = {**theirs, **mine}
        for note in BUILD_ANNOTATIONS:
            if note in theirs:
                merged[note] = theirs[note]
            else:
                merged.pop(note, None)
        if NEEDS_HASH not in mine:
            merged.pop(NEEDS_HASH, None)
        self.set_annotations(merged)
        self.set_name(other.name)
        self.set_namespace(other.namespace)
        self.refvars = list(other.refvars)

    def remove_annotations(self, names: frozenset[str]) -> None:
        """Remove annotations; those that stay are set anew, as every change of them does."""
        self.set_annotations({key: text for key, text in self.annotations.items() if key not in names})

    def texts_of(self, field: str) -> dict[str, str]:
        """Give a map of text such as `data`."""
        value = self.value.get(field, MISSING)
        if not isinstance(value, dict):
            return {}
        return {key: "" if is_absent(one) else text_of(one) for key, one in value.items()}


def _meta_text(value: Any) -> str:
    """Give the text of a name or namespace; none of one that is blank."""
    if value.__class__ is str:
        return value
    return "" if is_empty(value) else text_of(value)


def _set_untyped(fields: dict[str, Any], name: str, text: str) -> None:
    """Set a text without a type (kyaml FieldSetter with a StringValue): without quotes, YAML decides what it is."""
    if not text:
        fields.pop(name, None)
    elif name in fields:
        fields[name] = restyled(fields[name], resolved(text))
    else:
        fields[name] = styled(text)


def effective(namespace: str) -> str:
    return namespace or DEFAULT
