"""Cashfree Secure ID. Facts come from the vendor's pages; each module says which."""

from worker.vendors.cashfree.auth import Account
from worker.vendors.cashfree.client import Cashfree, connect
from worker.vendors.cashfree.wire import Limits

__all__ = ["Account", "Cashfree", "Limits", "connect"]
