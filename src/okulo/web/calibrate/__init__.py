"""The page on which a rectangle is marked on a road."""
