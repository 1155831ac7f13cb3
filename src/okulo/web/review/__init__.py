"""The review page: people decide on labels and duplicates, and look around in the data."""
