"""Talking to a registry: ask what it has, send what it lacks, measure the way to it."""
