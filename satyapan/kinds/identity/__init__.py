"""Kinds about a person's identity documents."""
