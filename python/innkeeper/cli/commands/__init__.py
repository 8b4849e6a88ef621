"""What each command takes and does; a module is loaded when one of its commands is named."""
