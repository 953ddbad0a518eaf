"""Words: those from outside made fit to be printed and to be commands, and slips of the pen in names."""
