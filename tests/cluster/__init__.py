"""A real Kubernetes control plane for tests: one Go binary of ours, built once, started on loopback."""
