"""A built image as data, and the forms that it is stored in: tars, OCI layouts, compressed streams."""

from imgopt.images.model import Descriptor, Family, Image, ImageLayer, OpenImage

__all__ = ["Descriptor", "Family", "Image", "ImageLayer", "OpenImage"]
