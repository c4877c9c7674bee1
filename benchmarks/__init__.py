"""Measurements that are run by hand. Each reports its figures and the load of the machine."""
