"""What claims and the host mean for Nova's tables, as objects."""
