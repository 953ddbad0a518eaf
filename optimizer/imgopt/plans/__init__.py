"""Decisions: what could be changed in a picture, and what speaks against it. They know no rule and print nothing."""
