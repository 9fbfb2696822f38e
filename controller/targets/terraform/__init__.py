"""Terraform and OpenTofu workspaces as targets: plan, drift apart from pending, apply of exactly what was planned."""

from controller.targets.terraform.cloud import Cloud
from controller.targets.terraform.opening import Clouds

__all__ = ["Cloud", "Clouds"]
