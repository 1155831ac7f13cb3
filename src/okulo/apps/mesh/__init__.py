"""Mesh denoising: noise goes, edges stay."""
