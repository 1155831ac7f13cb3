"""Building footprints: masks to regular polygons."""
