"""Algorithms on arrays: numpy, scipy and numba, nothing of pictures on disk or networks."""
