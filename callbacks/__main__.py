"""Lets `python -m callbacks` do what `satyapan callbacks` does."""

from callbacks.cli import callbacks

callbacks(prog_name="callbacks")
