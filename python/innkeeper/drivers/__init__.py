"""What the host has: the kernel's own files, a capture of them, or a simulation."""
