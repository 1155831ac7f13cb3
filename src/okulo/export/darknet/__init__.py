"""Networks in Darknet's form (cfg + weights) made model files; no torch takes part."""
