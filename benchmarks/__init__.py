"""Measurements, run by hand; each tells what it measured and on what."""
