"""Vendors: each has a folder with its wire, its authentication, its reply table, its client.

A client implements `worker.engine.vendor.Vendor`; nothing but worker/from_settings.py imports one.
"""
