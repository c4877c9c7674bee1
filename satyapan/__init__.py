"""What producers import: submit verifications, wait for them, read and watch their results."""
