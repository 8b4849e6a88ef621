"""What a flavor and an image say of a guest's CPUs, NUMA cells and pages, as typed constraints."""
