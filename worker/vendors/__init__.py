"""Vendors: each has a folder with its wire, its authentication, its reply table, its client.

A client implements `worker.engine.vendor.VendorClient`. Only worker/from_settings.py imports one.
"""
