"""Nouns, protocols, checks, errors, parameters and reports: what every other layer speaks in."""
