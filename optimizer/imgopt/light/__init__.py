"""What hundreds of modules have at their top, made when it is first used: a short run uses little of it."""
