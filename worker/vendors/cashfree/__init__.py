"""Cashfree Secure ID. Facts come from the vendor's pages; each module says which."""
