"""Modules and losses, one idea per file."""
