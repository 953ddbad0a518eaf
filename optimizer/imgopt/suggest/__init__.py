"""One Dockerfile's answer: findings, rewrite and weights. No engine, no network, nothing written."""
