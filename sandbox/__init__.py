"""The emulated vendor: its published contracts, journeys, webhooks, quotas and faults.

It has everything that a test or a demonstration needs in place of the real vendor. It imports no
other package of this repository and shares no schema with them, so that it can't share their
mistakes.
"""
