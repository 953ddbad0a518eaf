from __future__ import annotations

from command_line import imgopt

__all__ = ["imgopt"]
