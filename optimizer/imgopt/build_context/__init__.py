"""The build context: what is in it, and what .dockerignore leaves out."""
