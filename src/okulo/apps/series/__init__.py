"""Short sensor series, by the million: from a database to named groups of faults."""
