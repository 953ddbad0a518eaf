"""The image that the final stage stands on, and what speaks against another one."""
