"""The inbox: verified webhooks, stored once and sealed, until a worker has processed them."""
