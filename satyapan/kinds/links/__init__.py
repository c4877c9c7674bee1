"""Kinds that are links for many people."""
