"""Kustomizations made up from a seed: every field, several layers, and values that YAML makes something else of."""

# ruff: noqa: E501, ISC004  (a table of YAML: a line that is cut can no longer be read)
from __future__ import annotations

import json
import random
from typing import Any

NAMES = ["web", "db", "cache", "app-1"]
VALUES = [
    "x",
    "1",
    "true",
    "1.10",
    "0777",
    "2024-01-15",
    "yes",
    "a: b",
    "line\nmore\n",
    "",
    "null",
    "v1",
    "$(HOST)",
    "1e3",
]
KINDS = ["Deployment", "StatefulSet", "Service", "ConfigMap", "Secret", "CronJob", "ServiceAccount", "RoleBinding",
         "ClusterRole", "Ingress", "HorizontalPodAutoscaler", "Thing", "Namespace"]  # fmt: skip
PATCHED = ["Deployment", "Service", "ConfigMap", "Thing", "StatefulSet", "Secret"]
VERSIONS = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "CronJob": "batch/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1", "Ingress": "networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2", "Thing": "example.com/v1",
}  # fmt: skip


class Maker:
    """Makes one kustomization with its bases; `files` are its text files."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self.files: dict[str, str] = {}

    def make(self) -> dict[str, str]:
        self._kustomization("base", [])
        lower = "base"
        for layer in ("middle", "top")[: self._source.randint(1, 2)]:
            self._kustomization(layer, [f"../{lower}"])
            lower = layer
        self.files["root"] = lower
        return self.files

    def _may(self, chance: float) -> bool:
        return self._source.random() < chance

    def _pick(self, values: Any) -> Any:
        return self._source.choice(values)

    def _scalar(self) -> str:
        """Write a scalar: plain or quoted, whatever it may mean."""
        value = self._pick(VALUES)
        if self._may(0.5) or not value or "\n" in value or ": " in value:
            return json.dumps(value)
        return str(value)

    def _kustomization(self, folder: str, resources: list[str]) -> None:
        lines: list[str] = []
        if not resources or self._may(0.4):
            documents = [self._object(kind, name) for kind in PATCHED for name in NAMES[:2]] if not resources else []
            extra = NAMES[2] if folder == "base" else f"{folder}-extra"
            documents += [self._object(kind, extra) for kind in self._source.sample(KINDS, 3)]
            self.files[f"{folder}/all.yaml"] = "---\n".join(documents)
            resources = [*resources, "all.yaml"]
        lines.append(f"resources: {json.dumps(resources)}\n")
        for chance, part in (
            (0.25, self._namespace), (0.3, self._affixes), (0.3, self._labels), (0.2, self._common), (0.3, self._images),
            (0.5, self._generators), (0.6, self._patches), (0.25, self._replacements), (0.1, self._replicas),
            (0.1, self._vars), (0.1, self._metadata), (0.1, self._transformer),
        ):  # fmt: skip
            if self._may(chance):
                lines.append(part(folder))
        if self._may(0.2):
            name = f"component-{folder}"
            self._component(name)
            lines.append(f"components: [../{name}]\n")
        self.files[f"{folder}/kustomization.yaml"] = "".join(lines)

    def _component(self, folder: str) -> None:
        text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        parts = [self._images, self._patches, self._common, self._labels]
        self.files[f"{folder}/kustomization.yaml"] = text + self._pick(parts)(folder)

    def _namespace(self, _folder: str) -> str:
        return f"namespace: {self._pick(['shop', 'other'])}\n"

    def _affixes(self, _folder: str) -> str:
        return self._pick(["namePrefix: p-\n", "nameSuffix: -s\n", "namePrefix: a-\nnameSuffix: -z\n"])  # type: ignore[no-any-return]

    def _labels(self, _folder: str) -> str:
        more = self._pick(["", ", includeSelectors: true", ", includeTemplates: true"])
        return f'labels: [{{pairs: {{{self._pick(["team", "app"])}: "{self._pick(["1", "b"])}"}}{more}}}]\n'

    def _common(self, _folder: str) -> str:
        field = self._pick(["commonLabels", "commonAnnotations"])
        return f"{field}: {{{self._pick(['note', 'app'])}: {json.dumps(self._pick(VALUES[:5]))}}}\n"

    def _images(self, _folder: str) -> str:
        change = self._pick(['newTag: "2"', "newName: reg:5000/x", "digest: sha256:abc", "newTag: v3, newName: yy"])
        return f"images: [{{name: {self._pick(['nginx', 'reg:5000/app', 'ngin.'])}, {change}}}]\n"

    def _generators(self, folder: str) -> str:
        kind = self._pick(["configMapGenerator", "secretGenerator"])
        name, behavior = self._pick(
            [(f"gen-{folder}", ""), ("cache", ""), ("web", "behavior: merge, "), ("db", "behavior: replace, ")]
        )
        self.files[f"{folder}/env.txt"] = "# comment\nA=1\nB\n C= two \n"
        self.files[f"{folder}/file.txt"] = self._pick(["one line", "two\nlines\n", "tab\there\n  x \n", "é 😀\n"])
        what = self._pick(
            ["literals: [k=v, 'q=\"x\"', n=1]", "files: [file.txt]", "envs: [env.txt]", "files: [z=file.txt]"]
        )
        options = self._pick(
            ["", "", ", options: {disableNameSuffixHash: true}", ", options: {labels: {g: '1'}, immutable: true}"]
        )
        shared = self._pick(["", "", "generatorOptions: {annotations: {gen: 'on'}}\n"])
        return f"{kind}: [{{name: {name}, {behavior}{what}{options}}}]\n{shared}"

    def _replicas(self, _folder: str) -> str:
        return f"replicas: [{{name: {self._pick(NAMES[:2])}, count: 3}}]\n"

    def _vars(self, _folder: str) -> str:
        kind = self._pick(["Service", "ConfigMap"])
        return f"vars: [{{name: HOST, objref: {{kind: {kind}, name: {self._pick(NAMES[:2])}, apiVersion: v1}}}}]\n"

    def _metadata(self, _folder: str) -> str:
        return self._pick(
            ["buildMetadata: [originAnnotations]\n", "buildMetadata: [managedByLabel, transformerAnnotations]\n"]
        )  # type: ignore[no-any-return]

    def _transformer(self, folder: str) -> str:
        self.files[f"{folder}/t.yaml"] = self._pick(
            [
                "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: n, namespace: late}\nunsetOnly: true\n",
                "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: n}\nprefix: t-\n"
                "fieldSpecs: [{path: metadata/name}]\n",
                "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: n}\nlabels: {late: '1'}\n"
                "fieldSpecs: [{path: metadata/labels, create: true}, {path: spec/deep/labels, create: true, kind: Thing}]\n",
            ]
        )
        return "transformers: [t.yaml]\n"

    def _replacements(self, _folder: str) -> str:
        source = self._pick(
            [
                f"{{kind: ConfigMap, name: {self._pick(NAMES[:2])}, fieldPath: data.k}}",
                f"{{kind: Service, name: {self._pick(NAMES[:2])}}}",
                f"{{kind: Service, name: {self._pick(NAMES[:2])}, fieldPath: 'spec.ports.0.port'}}",
                "{kind: Deployment, fieldPath: 'spec.template.spec.containers.[name=main].image', options: {delimiter: ':', index: 0}}",
            ]
        )
        target = self._pick(
            [
                "{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=main].image'], options: {delimiter: ':', index: 1}}",
                "{select: {kind: Thing}, fieldPaths: [spec.value, spec.made.here], options: {create: true}}",
                "{select: {kind: Service}, fieldPaths: ['spec.ports.*.targetPort']}",
                "{select: {kind: ConfigMap}, reject: [{name: db}], fieldPaths: ['metadata.annotations.from'], options: {create: true}}",
            ]
        )
        return f"replacements: [{{source: {source}, targets: [{target}]}}]\n"

    def _patches(self, folder: str) -> str:
        entries = []
        for number in range(self._source.randint(1, 3)):
            path = f"patch-{number}.yaml"
            kind = self._pick(["Deployment", "Service", "ConfigMap", "Thing", "StatefulSet"])
            target = self._pick([f"{{kind: {kind}}}", f"{{kind: {kind}, name: w.*}}", "{labelSelector: app=web}", ""])
            if self._may(0.4):
                self.files[f"{folder}/{path}"] = self._operations()
                target = target or f"{{kind: {kind}}}"
            else:
                self.files[f"{folder}/{path}"] = self._merge(kind)
            entries.append(f"- path: {path}\n" + (f"  target: {target}\n" if target else ""))
        return "patches:\n" + "".join(entries)

    def _operations(self) -> str:
        return self._pick(  # type: ignore[no-any-return]
            [
                f"- {{op: add, path: /metadata/annotations, value: {{a: {self._scalar()}}}}}\n",
                f"- {{op: add, path: /metadata/labels/new, value: {self._scalar()}}}\n",
                f"- {{op: replace, path: /spec, value: {{v: [{self._scalar()}, 1000000, 1.5]}}}}\n",
                "- {op: remove, path: /spec}\n",
                f"- {{op: replace, path: /data, value: {{k: {self._scalar()}}}}}\n",
                "- {op: add, path: /spec/ports/-, value: {port: 9, name: late}}\n",
                "- {op: copy, from: /metadata/name, path: /metadata/generation}\n",
            ]
        )

    def _merge(self, kind: str) -> str:
        head = f"apiVersion: {VERSIONS.get(kind, 'v1')}\nkind: {kind}\nmetadata:\n  name: {self._pick(NAMES[:2])}\n"
        annotations = self._pick(["", f"  annotations: {{a: {self._scalar()}, b: null}}\n", "  labels: {app: other}\n"])
        return head + annotations + self._merge_body(kind)

    def _merge_body(self, kind: str) -> str:
        if kind in {"Deployment", "StatefulSet"}:
            body = self._pick(
                [
                    f"containers: [{{name: main, env: [{{name: A, value: {self._scalar()}}}, {{name: Z, value: z}}]}}]",
                    "containers: [{name: side, image: s:1}]",
                    "containers: [{name: main, ports: [{containerPort: 80, protocol: UDP}, {containerPort: 8080, name: http}]}]",
                    "containers: [{name: main, env: [{name: A, $patch: delete}], args: [q]}]",
                    "volumes: [{name: cfg, configMap: null, emptyDir: {}}]",
                    "containers: [{$patch: replace}, {name: only, image: o}]",
                    "containers: [{name: main, resources: null, command: }]",
                    "tolerations: [{key: a}]",
                ]
            )
            return f"spec: {{replicas: {self._pick(['2', 'null', '5'])}, template: {{spec: {{{body}}}}}}}\n"
        if kind == "Service":
            return self._pick(
                [
                    "spec: {ports: [{port: 80, name: x}]}\n",
                    "spec: {ports: [{port: 81, protocol: UDP}], type: null}\n",
                    "$patch: delete\n",
                ]
            )  # type: ignore[no-any-return]
        if kind == "ConfigMap":
            return f"data: {{k: {self._scalar()}, gone: null, more: {self._scalar()}}}\n"
        return self._pick(
            [f"spec: {{value: {self._scalar()}, list: [1], deep: {{a: null}}}}\n", "spec: {$patch: replace, only: 1}\n"]
        )  # type: ignore[no-any-return]

    def _object(self, kind: str, name: str) -> str:
        head = f"apiVersion: {VERSIONS.get(kind, 'v1')}\nkind: {kind}\nmetadata:\n  name: {name}\n"
        head += self._pick(["", "", "", "  namespace: default\n"] if kind in PATCHED else ["", "  namespace: own\n"])
        head += self._pick(
            [
                "",
                "  labels: {app: web}\n",
                "  labels: {app: web}\n",
                f"  annotations: {{a: {self._scalar()}, n: null, e: }}\n",
            ]
        )
        return head + self._body(kind)

    def _body(self, kind: str) -> str:
        pod = self._pod()
        name = self._pick(NAMES)
        match kind:
            case "Deployment" | "StatefulSet":
                return f"spec:\n  replicas: {self._pick(['1', chr(34) + '1' + chr(34)])}\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {pod}\n"
            case "CronJob":
                return f"spec: {{jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}\n"
            case "Service":
                return "spec:\n  selector: {app: web}\n  type: ClusterIP\n  ports:\n  - {port: 80, targetPort: http}\n  - {port: 81, protocol: TCP}\n"
            case "ConfigMap":
                return f"data:\n  k: {self._scalar()}\n  gone: x\n  text: |\n    a\n      b\n    $(HOST)\n"
            case "Secret":
                return "type: Opaque\nstringData: {a: b}\n"
            case "RoleBinding":
                return f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects:\n- {{kind: ServiceAccount, name: {self._pick(['default', name])}, namespace: {self._pick(['default', 'own'])}}}\n"
            case "ClusterRole":
                return f"rules: [{{apiGroups: [''], resources: [configmaps], resourceNames: [{name}], verbs: [get]}}]\n"
            case "Ingress":
                return f"spec: {{rules: [{{http: {{paths: [{{backend: {{service: {{name: {name}}}}}}}]}}}}], tls: [{{secretName: {name}}}]}}\n"
            case "HorizontalPodAutoscaler":
                return f"spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}, minReplicas: 1}}\n"
            case "Thing":
                return f"spec:\n  value: {self._scalar()}\n  list: [a, {self._scalar()}]\n  deep: {{a: 1, b: null, containers: [{{image: nginx:1}}]}}\n  blank:\n"
            case _:
                return ""

    def _pod(self) -> str:
        env = [
            f"{{name: A, value: {self._scalar()}}}",
            f"{{name: B, valueFrom: {{configMapKeyRef: {{name: {self._pick(NAMES)}, key: k}}}}}}",
            f"{{name: C, valueFrom: {{secretKeyRef: {{name: {self._pick(NAMES)}, key: k}}}}}}",
        ]
        self._source.shuffle(env)
        return (
            f"{{serviceAccountName: {self._pick(NAMES)}, containers: [{{name: main, image: {self._pick(['nginx:1.0', 'reg:5000/app@sha256:ff', 'nginx'])}, "
            f"env: [{', '.join(env[: self._source.randint(0, 3)])}], ports: [{{containerPort: 80}}, {{containerPort: 53, protocol: UDP}}], resources: {{}}}}, "
            f"{{name: side, image: busybox, args: ['$(HOST)', {self._scalar()}]}}], volumes: [{{name: cfg, configMap: {{name: {self._pick(NAMES)}}}}}]}}"
        )
