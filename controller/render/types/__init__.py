"""A platform team's own component types: parameters with a JSON Schema, manifests in which they stand for values."""

from controller.render.types.platform_type import PlatformType, definitions_of, read_types

__all__ = ["PlatformType", "definitions_of", "read_types"]
