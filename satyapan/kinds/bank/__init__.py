"""Kinds about bank accounts, branches and payments."""
