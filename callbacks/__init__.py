"""Listens to the outside: people coming back in a browser, the vendor's webhooks, health probes."""
