"""What a test does with the page: give it pictures, wait, read its answers."""

import json

import numpy as np
from playwright.sync_api import Page, expect


def ready(page: Page) -> None:
    """Wait until the page offers its models."""
    expect(page.locator("#work")).to_be_visible()


def give(page: Page, files: list[tuple[str, bytes]]) -> None:
    """Choose files as a user does, and wait for all answers."""
    kinds = {"jpg": "image/jpeg", "svg": "image/svg+xml"}
    page.set_input_files(
        "#files",
        [
            {"name": n, "mimeType": kinds.get(n[-3:], f"image/{n.rpartition('.')[2]}"), "buffer": data}
            for n, data in files
        ],
    )
    answered(page)


def answered(page: Page) -> None:
    """Wait until no picture waits for its answer."""
    expect(page.locator(".answer").first).to_be_visible()
    expect(page.locator(".answer[aria-busy]")).to_have_count(0, timeout=90_000)


def results(page: Page) -> list[dict[str, object]]:
    """The answers on the page, in its order."""
    said = page.evaluate(
        """async () => {
          const {gallery} = await import('./static/ask/page.js')
          return JSON.stringify(gallery.cards.map(
            ({name, result, error}) => ({name, error, ...result, model: undefined})))
        }"""
    )
    answers: list[dict[str, object]] = json.loads(said)
    return answers


def shares(result: dict[str, object]) -> np.ndarray:
    return np.float32(result["answer"]["probabilities"])  # type: ignore[index]
