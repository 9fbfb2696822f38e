"""Terraform modules of a tree: what a placement's workspace consists of. Nothing is evaluated; that is Terraform's."""

from controller.render.terraform.rendering import render_workspace

__all__ = ["render_workspace"]
