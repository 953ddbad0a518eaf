from command_line import imgopt

__all__ = ["imgopt"]
