"""How each model's stages are built: plain data, made from the command line."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How each model's stages are built."""

    batch_size: int = 32
    interval_ms: float = 0.0
    workers: int = 1
    threads: int = 1
    decoders: int = 2
    engine: str = "onnxruntime"
    compiled: bool = False
    """Prepare with compiled code: faster on large pictures, 100 MB more."""
    postprocess: str = ""
    post_workers: int = 2
    post_threads: bool = False
    post_url: str = ""
    post_key: str = ""
    max_items: int = 1024
    max_bytes: int = 512 << 20
    max_pixels: int = 25_000_000
