"""Event sourcing."""
