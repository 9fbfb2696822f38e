"""Terraform and OpenTofu workspaces as targets: plan, drift apart from pending, apply of exactly what was planned."""

from controller.targets.terraform.cloud import Cloud
from controller.targets.terraform.opening import Clouds, sealer_of
from controller.targets.terraform.sealing import Sealer
from controller.targets.terraform.succeeding import succeed
from controller.targets.terraform.surroundings import WORK_VARIABLE

__all__ = ["WORK_VARIABLE", "Cloud", "Clouds", "Sealer", "sealer_of", "succeed"]
