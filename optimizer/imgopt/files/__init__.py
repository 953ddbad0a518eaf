"""Files that somebody else made: opened without waiting, read with bounds."""
