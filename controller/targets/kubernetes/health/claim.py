"""PersistentVolumeClaim: as Argo CD's getPVCHealth."""

from __future__ import annotations

from controller.targets.kubernetes.health.reading import HEALTHY, Object, Verdict, degraded, part, progressing, text


def persistent_volume_claim(live: Object) -> Verdict:
    phase = text(part(live, "status"), "phase")
    if phase == "Bound":
        return HEALTHY
    return degraded("its volume is lost") if phase == "Lost" else progressing("no volume is bound yet")
