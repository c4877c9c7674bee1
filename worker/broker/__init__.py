"""The workers' side of the broker: Kombu's transport, corrected, and the form of a wake-up."""
