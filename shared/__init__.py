"""What workers and the callbacks app both use: inbox, return tokens, scrubbing of JSON."""
