"""From a trained network to a checked model file."""
