"""Kustomizations to build: every usual feature over any number of resources, and one like those that people have.

"full" is a namespace, a prefix, labels, annotations, an image, a generator, a merge patch for every tenth resource and
one JSON patch over all Services. "median" is as large as half of the builds of public repositories at most are:
five objects and 3 kB from a base, with a namespace, an image and a patch on top.
"""

from __future__ import annotations

from pathlib import Path

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
PER_FILE = 10


def write_full(folder: Path, count: int) -> Path:
    """Write a "full" kustomization of `count` resources; gives its directory."""
    files = []
    for start in range(0, count, PER_FILE):
        name = f"part-{start // PER_FILE:05}.yaml"
        texts = (resource(number) for number in range(start, min(start + PER_FILE, count)))
        _write(folder / name, "---\n".join(texts))
        files.append(name)
    _write(folder / "operations.yaml", "- {op: replace, path: /spec/ports/0/port, value: 8080}\n")
    _write(folder / "settings.env", "LEVEL=info\nREGION=cn-east\n")
    patches = []
    for number in range(0, count, 10):
        _write(folder / f"patch-{number:05}.yaml", merge_patch(number))
        patches.append(f"- path: patch-{number:05}.yaml\n")
    _write(
        folder / "kustomization.yaml",
        f"{HEAD}namespace: shop\nnamePrefix: p-\nlabels: [{{pairs: {{team: web}}, includeSelectors: true}}]\n"
        "commonAnnotations: {owner: somebody}\nimages: [{name: registry.example.com/app, newTag: v2}]\n"
        "configMapGenerator: [{name: settings, envs: [settings.env]}]\n"
        f"resources:\n{''.join(f'- {name}{chr(10)}' for name in files)}"
        f"patches:\n- {{path: operations.yaml, target: {{kind: Service}}}}\n{''.join(patches)}",
    )
    return folder


def write_median(folder: Path) -> Path:
    """Write a kustomization of the median size; gives its directory."""
    names = []
    for number in range(5):
        names.append(f"{number}.yaml")
        _write(folder / "base" / names[-1], resource(number))
    _write(folder / "base/kustomization.yaml", f"{HEAD}resources: [{', '.join(names)}]\n")
    _write(folder / "top/patch.yaml", merge_patch(0))
    _write(
        folder / "top/kustomization.yaml",
        f"{HEAD}namespace: shop\nresources: [../base]\n"
        "images: [{name: registry.example.com/app, newTag: v2}]\npatches: [{path: patch.yaml}]\n",
    )
    return folder / "top"


def resource(number: int) -> str:
    """Give a resource by its number: Deployments, Services and ConfigMaps in turn, each with its neighbours' names."""
    name = f"app-{number - number % 3:05}"
    match number % 3:
        case 0:
            return _deployment(name)
        case 1:
            return (
                f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n"
                "  ports:\n  - name: http\n    port: 80\n    targetPort: http\n"
            )
        case _:
            lines = "".join(f"    key.{line:02} = a value of some length\n" for line in range(10))
            return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  app.properties: |\n{lines}"


def merge_patch(number: int) -> str:
    name = f"app-{number - number % 3:05}"
    match number % 3:
        case 0:
            return (
                f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 3\n"
                "  template:\n    spec:\n"
                "      containers:\n      - name: web\n        env: [{name: ADDED, value: '1'}]\n"
            )
        case 1:
            return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{type: NodePort}}\n"
        case _:
            return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{more: value}}\n"


def _deployment(name: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: web
        image: registry.example.com/app:v1
        args: ["--listen=:8080", "--verbose"]
        ports:
        - name: http
          containerPort: 8080
        env:
        - name: NAME
          value: {name}
        envFrom:
        - configMapRef:
            name: {name}
        - configMapRef:
            name: settings
        readinessProbe:
          httpGet:
            path: /healthz
            port: http
        resources:
          requests:
            cpu: 100m
            memory: 64Mi
          limits:
            memory: 128Mi
      volumes:
      - name: content
        configMap:
          name: {name}
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
