"""The vendor, emulated: its published contracts, journeys, webhooks, quotas and faults.

Owns everything a test or a demonstration needs in place of the real vendor. Knows nothing of the
other packages of this repository and shares no schema with them, so that it cannot share their
mistakes.
"""
