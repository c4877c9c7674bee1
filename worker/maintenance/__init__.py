"""What each worker process does beside its runs: sweep, mark, retain, watch, show its health."""
