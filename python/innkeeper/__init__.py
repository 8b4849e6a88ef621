"""innkeeper knows what a host has, who holds it, and whether the next guest fits."""
