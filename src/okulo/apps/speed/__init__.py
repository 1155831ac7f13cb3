"""Vehicle speed from a fixed camera: calibrate on a rectangle of the road, follow, measure, watch."""
