"""The only reader and writer of YAML and JSON in the program."""

from controller.documents.ambiguities import ambiguities
from controller.documents.editing import DELETE, edit
from controller.documents.encoding import blob_id, canonical, decode, digest_of, exact
from controller.documents.plainly import read_plainly
from controller.documents.positions import Positions, locate, read_with_positions
from controller.documents.reading import MAX_BYTES, MAX_DEPTH, Document, Replace, read
from controller.documents.remembering import Memory
from controller.documents.resolving import MAYBE_SPECIAL, RESOLVERS, Dialect, ScalarError, is_string, time_as_json
from controller.documents.scalars import (
    BareKey,
    Folded,
    Quoted,
    SpelledNull,
    format_float,
    format_json_float,
    is_spelled,
    spelled,
    spelling_of,
    unspelled,
)
from controller.documents.writing import is_written_plain, natural_order, write, write_as_kustomize

__all__ = [
    "DELETE",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAYBE_SPECIAL",
    "RESOLVERS",
    "BareKey",
    "Dialect",
    "Document",
    "Folded",
    "Memory",
    "Positions",
    "Quoted",
    "Replace",
    "ScalarError",
    "SpelledNull",
    "ambiguities",
    "blob_id",
    "canonical",
    "decode",
    "digest_of",
    "edit",
    "exact",
    "format_float",
    "format_json_float",
    "is_spelled",
    "is_string",
    "is_written_plain",
    "locate",
    "natural_order",
    "read",
    "read_plainly",
    "read_with_positions",
    "spelled",
    "spelling_of",
    "time_as_json",
    "unspelled",
    "write",
    "write_as_kustomize",
]
