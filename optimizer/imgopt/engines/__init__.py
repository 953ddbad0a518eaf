"""Builders of images behind one protocol: Docker, BuildKit, Podman, kaniko; and what runs them."""
