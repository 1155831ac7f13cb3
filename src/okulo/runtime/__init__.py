"""Run a model file: load, batch, predict, benchmark. No torch."""
