"""Facts: what a Dockerfile makes, as far as it can be told without building it."""

from imgopt.picture.picture import Artifact, Jars, Picture, StagePicture, once, take_picture

__all__ = ["Artifact", "Jars", "Picture", "StagePicture", "once", "take_picture"]
