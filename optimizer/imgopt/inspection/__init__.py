"""Looking into a built image: what each layer holds, what of it nobody sees any more, and what it costs."""
