"""A Dockerfile and its rewrite, built, measured and started side by side."""
