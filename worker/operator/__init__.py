"""What operators do by hand: the actions, their command line, what they may see."""
