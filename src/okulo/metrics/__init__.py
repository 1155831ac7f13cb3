"""Pure functions: (truth, guess) → number."""
