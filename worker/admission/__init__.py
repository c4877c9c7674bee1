"""Admission: may a call go now? The quota over all workers, and the breakers."""
