"""Live objects kept small: compressed JSON with a dictionary of what most objects hold. Only ever in memory."""

from __future__ import annotations

import zlib
from typing import Any, Final

import orjson

# What repeats in nearly every object; the commonest last, where a reference to it is shortest.
_DICTIONARY: Final = (
    b'"revisionHistoryLimit":10,"progressDeadlineSeconds":600,"strategy":{"type":"RollingUpdate","rollingUpdate":'
    b'{"maxUnavailable":"25%","maxSurge":"25%"}}"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list",'
    b'"watch"]}]"clusterIP":"10.96.","clusterIPs":["10.96."],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":'
    b'["IPv4"],"ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"},"status":{"loadBalancer":{}}}"status":'
    b'{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":'
    b'[{"type":"Available","status":"True","lastUpdateTime":"2026-01-01T00:00:00Z","lastTransitionTime":'
    b'"2026-01-01T00:00:00Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."},'
    b'{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable","message":"ReplicaSet \\"\\" has '
    b'successfully progressed."}]}"spec":{"replicas":1,"selector":{"matchLabels":{"app":"","app.kubernetes.io/name":'
    b'"","app.kubernetes.io/instance":""}},"template":{"metadata":{"creationTimestamp":null,"labels":{}},"spec":'
    b'{"volumes":[{"name":"","configMap":{"name":"","defaultMode":420}}],"containers":[{"name":"","image":"","ports":'
    b'[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[{"name":"","value":""}],"resources":{"limits":'
    b'{"cpu":"","memory":""},"requests":{"cpu":"","memory":""}},"livenessProbe":{"httpGet":{"path":"/","port":"http",'
    b'"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},'
    b'"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":'
    b'"IfNotPresent","securityContext":{}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":'
    b'"ClusterFirst","serviceAccountName":"","securityContext":{},"schedulerName":"default-scheduler"}}'
    b'[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"apps/v1","time":"2026-01-01T00:00:00Z",'
    b'"fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:deployment.kubernetes.io/revision":{}'
    b'}},"f:status":{"f:availableReplicas":{},"f:conditions":{".":{},"k:{\\"type\\":\\"Available\\"}":{".":{},'
    b'"f:lastTransitionTime":{},"f:lastUpdateTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}},"k:{\\"type'
    b'\\":\\"Progressing\\"}":{}},"f:observedGeneration":{},"f:readyReplicas":{},"f:replicas":{},"f:updatedReplicas":{}}}'
    b',"subresource":"status"}[{"manager":"converge","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z",'
    b'"fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{"f:converge/digest":{},"f:converge/fields":{},'
    b'"f:converge/owner":{}},"f:labels":{"f:app":{},"f:applyset.kubernetes.io/part-of":{},"f:converge/installation":{}}},'
    b'"f:data":{},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":'
    b'{"f:containers":{"k:{\\"name\\":\\"\\"}":{".":{},"f:name":{},"f:image":{},"f:ports":{"k:{\\"containerPort\\":8080,'
    b'\\"protocol\\":\\"TCP\\"}":{".":{},"f:containerPort":{}}}}}}}}}}]'
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"","namespace":"","uid":"","resourceVersion":"",'
    b'"generation":1,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"","applyset.kubernetes.io/part-of":'
    b'"applyset-","converge/installation":""},"annotations":{"converge/digest":"sha256:","converge/fields":"",'
    b'"converge/owner":"","deployment.kubernetes.io/revision":"1"}},"data":{"'
)


def pack(value: Any) -> bytes:
    """Compress a decoded JSON value."""
    # The fastest level: with the dictionary the best one saves a tenth more, for three times the work.
    packer = zlib.compressobj(level=1, wbits=-15, memLevel=8, zdict=_DICTIONARY)
    return packer.compress(orjson.dumps(value)) + packer.flush()


def unpack(packed: bytes) -> Any:
    """Decode what `pack` made."""
    return orjson.loads(zlib.decompressobj(wbits=-15, zdict=_DICTIONARY).decompress(packed))
