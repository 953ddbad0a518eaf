"""What is stored, shipped or sent for nothing."""
