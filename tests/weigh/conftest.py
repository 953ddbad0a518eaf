"""The command line for this folder."""

from command_line import imgopt

__all__ = ["imgopt"]
