"""Redis: connections that follow the master, scripts, a channel's listener."""
