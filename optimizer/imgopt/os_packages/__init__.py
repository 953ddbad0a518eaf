"""Packages of Linux distributions: what a command installs, and what that weighs."""
