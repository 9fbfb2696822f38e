"""PersistentVolumeClaims: bound at once, as by a provisioner that has everything."""

from __future__ import annotations

from controller.sandbox.cluster.controllers.control import Control, Object, is_leaving

PROTECTION = "kubernetes.io/pvc-protection"


def reconcile(control: Control, claim: Object) -> None:
    meta = claim["metadata"]
    if is_leaving(claim):
        if not _is_used(control, meta["namespace"], meta["name"]):  # the end of its last pod brings us here again
            finalizers = [one for one in meta.get("finalizers", []) if one != PROTECTION]
            control.update("PersistentVolumeClaim", claim, {**claim, "metadata": {**meta, "finalizers": finalizers}})
        return
    spec = claim["spec"]
    if not spec.get("volumeName"):
        bound = {**claim, "spec": {**spec, "volumeName": f"pvc-{meta['uid']}"}}
        claim = control.update("PersistentVolumeClaim", claim, bound)
    status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": dict(spec["resources"]["requests"])}
    control.set_status("PersistentVolumeClaim", claim, status)


def _is_used(control: Control, namespace: str, name: str) -> bool:
    pods: list[Object] = control.objects.store.all(("", "pods"), namespace)
    volumes = (volume for pod in pods for volume in pod["spec"].get("volumes", ()))
    return any(volume.get("persistentVolumeClaim", {}).get("claimName") == name for volume in volumes)
