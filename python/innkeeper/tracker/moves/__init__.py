"""Instances on their way between two claims."""
