"""The rules of a verification, pure: no clock, no I/O, no Celery, no Redis."""
