"""Reading a built image, wherever it lies: a daemon, a tar, an OCI layout."""

from imgopt.images.model import Descriptor, Family, Image, ImageLayer, OpenImage
from imgopt.images.open import open_image, open_images

__all__ = ["Descriptor", "Family", "Image", "ImageLayer", "OpenImage", "open_image", "open_images"]
