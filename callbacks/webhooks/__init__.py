"""The webhook route: verify, scrub and store what the vendor sends."""
