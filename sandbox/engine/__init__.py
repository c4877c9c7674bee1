"""The engine: it answers calls, and moves them through their stages, as the files say."""
