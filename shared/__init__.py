"""What workers and the callbacks app both use: the inbox and the tokens of return URLs."""
