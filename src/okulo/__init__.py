"""okulo: from a folder of images to a vision service that holds under load, and back."""

__version__ = "0.1.0"
