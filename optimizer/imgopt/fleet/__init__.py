"""Many modules of one repository, answered together: which there are, what they push, what they could share."""
