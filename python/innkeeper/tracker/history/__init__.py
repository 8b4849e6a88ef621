"""History as it becomes durable, to whoever follows it."""
