"""Reading a built image, wherever it lies: a daemon, a tar, an OCI layout."""

from imgopt.images.model import Descriptor, Image, ImageLayer, OpenImage

__all__ = ["Descriptor", "Image", "ImageLayer", "OpenImage"]
