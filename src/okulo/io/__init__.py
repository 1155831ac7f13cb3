"""Readers and writers: images, tables, label formats, files that are never half written."""
