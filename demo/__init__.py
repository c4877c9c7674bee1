"""Local runs: an embedded server, a small supervisor, and the story they play together."""
