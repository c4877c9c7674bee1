"""The sections of the demo's scenario: each shows one kind of verification."""
