"""An in-process Kubernetes API: the demo's default cluster, and the fast tests' double of a real one.

It speaks HTTP without TLS on loopback, to one user who may do everything. What it does, it does as a real server: each
behaviour is a test under tests/sandbox/contract that runs against a real control plane too.

Its scope:

- kinds: those of data/schema.json (Namespace, ConfigMap, Secret, Service, ServiceAccount, Pod, PersistentVolumeClaim,
  Event, Node, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, Ingress, NetworkPolicy, the four kinds of
  RBAC, Lease, EndpointSlice, PodDisruptionBudget, HorizontalPodAutoscaler, CustomResourceDefinition) and custom
  resources at any number of versions, without conversion between them;
- writing: create, replace, the four patches (server-side apply with field owners, conflicts and force; JSON, merge and
  strategic merge patch), the status and scale subresources, dry runs, preconditions, finalizers, graceful deletion,
  ownerReferences, and defaults, validation and refusals in the real server's words where its users meet them;
- reading: lists with selectors, pages and exact versions; watches with initial events, bookmarks, and Gone after
  `compact`; tables and metadata only; discovery in both forms; version;
- by themselves: workloads become ready at once on a node that pretends (images under `fail.example/` do not), claims
  are bound and load balancers get an address, namespaces and definitions end with what is in them.

It is no real one: RBAC is stored and not enforced; no admission webhooks, no CEL rules, no conversion of custom
resources; CronJobs start nothing, autoscalers scale nothing, Services get no EndpointSlices, quotas do not exist; no
logs, no exec, no Events; nothing survives its end.
"""

from controller.sandbox.cluster.cluster import SandboxCluster

__all__ = ["SandboxCluster"]
