"""What the files in ``sandbox/operations`` say: their form, and how they are read and checked."""
