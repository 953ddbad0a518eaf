"""One door to a built image, wherever it lies: a daemon, a registry, a tar, an OCI layout."""

from imgopt.sources.open import open_image, open_images

__all__ = ["open_image", "open_images"]
