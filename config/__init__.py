"""What the application's processes share: settings, Celery's settings, Redis, logs, checks."""
