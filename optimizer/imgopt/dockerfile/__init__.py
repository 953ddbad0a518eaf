"""Text <-> document: a Dockerfile read without losing a byte, edited by spans. It knows no Java."""

from imgopt.dockerfile.document import (
    Comment,
    Dockerfile,
    Flag,
    Heredoc,
    Instruction,
    Span,
    Stage,
    Word,
)
from imgopt.dockerfile.edits import Edit, apply_edits, in_order
from imgopt.dockerfile.parser import MAX_BYTES, parse
from imgopt.dockerfile.variables import (
    Assignment,
    Expansion,
    Scope,
    assignments,
    expand,
    expand_body,
    scopes,
    variables_used,
)

__all__ = [
    "MAX_BYTES",
    "Assignment",
    "Comment",
    "Dockerfile",
    "Edit",
    "Expansion",
    "Flag",
    "Heredoc",
    "Instruction",
    "Scope",
    "Span",
    "Stage",
    "Word",
    "apply_edits",
    "assignments",
    "expand",
    "expand_body",
    "in_order",
    "parse",
    "scopes",
    "variables_used",
]
