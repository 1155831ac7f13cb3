"""Recipes, the loop, run folders."""
