"""Finds the waste in the Dockerfiles of Java services, rewrites them, and keeps images small."""

__version__ = "0.1.0"
