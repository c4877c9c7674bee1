"""Settings: how they are declared and read, and those of producers."""
