from command_line import imgopt  # noqa: F401
