"""An in-process cluster and git host: the demo's default and the fast tests' double."""

from controller.sandbox.cluster import SandboxCluster
from controller.sandbox.git_host import Access, GitHost

__all__ = ["Access", "GitHost", "SandboxCluster"]
