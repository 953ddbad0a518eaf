"""Java archives and build files: what an application is made of and what it needs to run."""
