"""Look at the data: scan, split, find what is wrong with it."""
