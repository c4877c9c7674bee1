"""The public web app: the return page, the vendor's webhooks and the operators' probes."""
