"""Bytes and seconds, before anything is built."""
