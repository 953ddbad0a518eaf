"""Reading a built image, wherever it lies: a daemon, a tar, an OCI layout."""

from imgopt.images.model import Descriptor, Image, ImageLayer, OpenImage
from imgopt.images.open import open_image

__all__ = ["Descriptor", "Image", "ImageLayer", "OpenImage", "open_image"]
