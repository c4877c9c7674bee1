"""The command line: producers' commands, and those that other distributions add."""
