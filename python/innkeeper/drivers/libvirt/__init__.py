"""A host and its instances as libvirt tells them: read-only, and loaded only where it is asked for."""
