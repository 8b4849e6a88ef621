"""Keeps promises on disk."""
