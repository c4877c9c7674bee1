"""Kinds about tax numbers: PAN and GSTIN."""
