"""Training of learned mesh denoisers on pairs a simulator makes."""
