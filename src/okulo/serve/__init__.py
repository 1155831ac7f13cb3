"""Serve model files: dynamic batching, stages that scale apart, Open Inference Protocol v2."""
