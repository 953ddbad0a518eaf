"""Layers that keep their digest from release to release."""
