"""Wake-ups on their way to the broker."""
