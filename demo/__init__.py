"""Local runs: an embedded server, a small supervisor, and the demo's scenario."""
