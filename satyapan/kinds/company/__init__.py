"""Kinds about companies and the people whom they employ."""
