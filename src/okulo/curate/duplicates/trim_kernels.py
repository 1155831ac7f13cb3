"""Counting lines of one colour, compiled."""

import numba


@numba.njit(nogil=True, cache=True)
def empty_lines(image, red, green, blue, step, odd_share):  # type: ignore[no-untyped-def]  # compiled by numba
    """How many lines at the top keep within `step` of this colour, but for a share of their pixels."""
    height, width = image.shape[0], image.shape[1]
    most = int(odd_share * width)
    for y in range(height):
        odd = 0
        for x in range(width):
            if (
                abs(image[y, x, 0] - red) > step
                or abs(image[y, x, 1] - green) > step
                or abs(image[y, x, 2] - blue) > step
            ):
                odd += 1
                if odd > most:
                    return y
    return height
