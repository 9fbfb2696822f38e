"""The fields of a kustomization and of the builtin plug-ins' configurations (api/types at v0.18.0)."""

from __future__ import annotations

from typing import Final

from controller.render.kustomize.decoding import ANY, ListOf, MapOf, Optional, Struct

_TEXTS: Final = MapOf(str)
_GVK: Final = {"group": str, "version": str, "kind": str}
_RES_ID: Final = {**_GVK, "name": str, "namespace": str}
OBJECT_META: Final = Struct({"name": str, "namespace": str, "labels": _TEXTS, "annotations": _TEXTS})
SELECTOR: Final = Struct({**_RES_ID, "annotationSelector": str, "labelSelector": str})
FIELD_SPEC: Final = Struct({**_GVK, "path": str, "create": bool})
FIELD_SPECS: Final = ListOf(FIELD_SPEC)
PATCH: Final = Struct({"path": str, "patch": str, "target": Optional(SELECTOR), "options": MapOf(bool)})
LABEL: Final = Struct(
    {"pairs": _TEXTS, "includeSelectors": bool, "includeTemplates": bool, "fields": FIELD_SPECS},
)
GENERATOR_OPTIONS: Final = Struct(
    {"labels": _TEXTS, "annotations": _TEXTS, "disableNameSuffixHash": bool, "immutable": bool},
)
CONFIG_MAP_ARGS: Final = Struct(
    {
        "namespace": str,
        "name": str,
        "behavior": str,
        "literals": ListOf(str),
        "files": ListOf(str),
        "envs": ListOf(str),
        "env": str,
        "options": Optional(GENERATOR_OPTIONS),
    },
)
SECRET_ARGS: Final = Struct({**CONFIG_MAP_ARGS.fields, "type": str})
IMAGE: Final = Struct({"name": str, "newName": str, "tagSuffix": str, "newTag": str, "digest": str})
REPLICA: Final = Struct({"name": str, "count": int})
FIELD_OPTIONS: Final = Struct({"delimiter": str, "index": int, "encoding": str, "create": bool})
REPLACEMENT: Final = Struct(
    {
        "source": Optional(Struct({**_RES_ID, "fieldPath": str, "options": Optional(FIELD_OPTIONS)})),
        "targets": ListOf(
            Optional(
                Struct(
                    {
                        "select": Optional(SELECTOR),
                        "reject": ListOf(Optional(SELECTOR)),
                        "fieldPaths": ListOf(str),
                        "options": Optional(FIELD_OPTIONS),
                    },
                ),
            ),
        ),
    },
)
REPLACEMENT_FIELD: Final = Struct({**REPLACEMENT.fields, "path": str})
VAR: Final = Struct(
    {"name": str, "objref": Struct({"apiVersion": str, **_RES_ID}), "fieldref": Struct({"fieldPath": str})},
)
SORT_OPTIONS: Final = Struct(
    {
        "order": str,
        "legacySortOptions": Optional(Struct({"orderFirst": ListOf(str), "orderLast": ListOf(str)})),
    },
)
NAME_REFERENCE: Final = Struct({**_GVK, "fieldSpecs": FIELD_SPECS})
TRANSFORMER_CONFIG: Final = Struct(
    {
        "namePrefix": FIELD_SPECS,
        "nameSuffix": FIELD_SPECS,
        "namespace": FIELD_SPECS,
        "commonLabels": FIELD_SPECS,
        "labels": FIELD_SPECS,
        "templateLabels": FIELD_SPECS,
        "commonAnnotations": FIELD_SPECS,
        "nameReference": ListOf(NAME_REFERENCE),
        "varReference": FIELD_SPECS,
        "images": FIELD_SPECS,
        "replicas": FIELD_SPECS,
    },
)
KUSTOMIZATION: Final = Struct(
    {
        "apiVersion": str,
        "kind": str,
        "metadata": Optional(OBJECT_META),
        "openapi": _TEXTS,
        "namePrefix": str,
        "nameSuffix": str,
        "namespace": str,
        "commonLabels": _TEXTS,
        "labels": ListOf(LABEL),
        "commonAnnotations": _TEXTS,
        "patchesStrategicMerge": ListOf(str),
        "patchesJson6902": ListOf(PATCH),
        "patches": ListOf(PATCH),
        "images": ListOf(IMAGE),
        "imageTags": ListOf(IMAGE),
        "replacements": ListOf(REPLACEMENT_FIELD),
        "replicas": ListOf(REPLICA),
        "vars": ListOf(VAR),
        "sortOptions": Optional(SORT_OPTIONS),
        "resources": ListOf(str),
        "components": ListOf(str),
        "crds": ListOf(str),
        "bases": ListOf(str),
        "configMapGenerator": ListOf(CONFIG_MAP_ARGS),
        "secretGenerator": ListOf(SECRET_ARGS),
        "helmGlobals": ANY,
        "helmCharts": ANY,
        "helmChartInflationGenerator": ANY,
        "generatorOptions": Optional(GENERATOR_OPTIONS),
        "configurations": ListOf(str),
        "generators": ListOf(str),
        "transformers": ListOf(str),
        "validators": ListOf(str),
        "buildMetadata": ListOf(str),
    },
)
