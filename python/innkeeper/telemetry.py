"""Logs: structured, on stderr, events as nouns with fields."""
