"""Kinds about vehicles."""
