"""Kinds about where an address, a point or a network address is."""
