"""Configuration of the application's processes: settings, Celery, Redis clients, logs, checks."""
