"""Applications: each is independent of the others, built of the parts below, and has a simulator."""
