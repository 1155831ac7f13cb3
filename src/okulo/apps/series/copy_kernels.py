"""PostgreSQL's two COPY formats, read into arrays; compiled, and without the interpreter's lock.

Both fill `ids`, `ends` (where each series ends in `values`) and `values`, and count in `said` what was wrong:
rows without an id, rows without values, rows that could not be understood.
"""

import math

import numpy as np
from numba import njit

NO_ID, NO_VALUES, UNREADABLE = 0, 1, 2
FLOAT4, FLOAT8, INT2, INT4, INT8 = 0, 1, 2, 3, 4
TENS = 10.0 ** np.arange(23)
"""The powers of ten that are exact."""


@njit(nogil=True, cache=True)
def _int(data: np.ndarray, at: int, size: int) -> int:
    """Read a big-endian signed integer of `size` bytes."""
    value = np.int64(data[at]) if data[at] < 128 else np.int64(data[at]) - 256
    for i in range(1, size):
        value = (value << 8) | np.int64(data[at + i])
    return int(value)


@njit(nogil=True, cache=True)
def _number(data: np.ndarray, at: int, size: int, kind: int, four: np.ndarray, eight: np.ndarray) -> float:
    """Read one array element; `four` and `eight` are 4 and 8 bytes to turn round in."""
    if kind == FLOAT4:
        for i in range(4):
            four[i] = data[at + 3 - i]
        return float(four.view(np.float32)[0])
    if kind == FLOAT8:
        for i in range(8):
            eight[i] = data[at + 7 - i]
        return float(eight.view(np.float64)[0])
    return float(_int(data, at, size))


@njit(nogil=True, cache=True)
def _array(
    data: np.ndarray, at: int, size: int, kind: int, scratch: np.ndarray, into: np.ndarray, start: int
) -> int:
    """Read a one-dimensional array's elements; give where they end, or -1 where it is no such array.

    The layout is `array_send`'s: dimensions, flags, element type, then size and lower bound of each
    dimension, then length and bytes of each element (length -1: null).
    """
    dimensions = _int(data, at, 4)
    if dimensions == 0:
        return start
    if dimensions != 1:
        return -1
    count = _int(data, at + 12, 4)
    width = 4 if kind in (FLOAT4, INT4) else 8 if kind in (FLOAT8, INT8) else 2
    place = at + 20
    four, eight = scratch[:4], scratch[8:16]
    plain = kind == FLOAT4 and size == 20 + 8 * count
    if plain:  # no null among them: every element has its length and four bytes
        bits = into.view(np.uint32)
        for i in range(count):
            p = place + 8 * i + 4
            bits[start + i] = (
                (np.uint32(data[p]) << np.uint32(24))
                | (np.uint32(data[p + 1]) << np.uint32(16))
                | (np.uint32(data[p + 2]) << np.uint32(8))
                | np.uint32(data[p + 3])
            )
        return start + count
    for i in range(count):
        length = _int(data, place, 4)
        place += 4
        if length == -1:
            into[start + i] = np.nan
        elif length != width:
            return -1
        else:
            into[start + i] = _number(data, place, width, kind, four, eight)
            place += width
    return start + count


@njit(nogil=True, cache=True)
def read_binary(
    data: np.ndarray,
    kind: int,
    time: bool,
    ids: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
    said: np.ndarray,
) -> int:
    """Read whole rows of (bigint id, array of `kind` [, float8 array of times]) and say how many series."""
    scratch = np.zeros(16, np.uint8)
    at = row = end = 0
    while at < len(data):
        fields = _int(data, at, 2)
        if fields == -1:
            break
        at += 2
        known = False
        size = _int(data, at, 4)
        at += 4
        if size == 8:
            ids[row] = _int(data, at, 8)
            known = True
        at += max(size, 0)
        size = _int(data, at, 4)
        at += 4
        stop = end
        if size >= 0:
            stop = _array(data, at, size, kind, scratch, values, end)
            at += size
        if time:
            length = _int(data, at, 4)
            at += 4
            if length >= 0:
                _array(data, at, length, FLOAT8, scratch, times, end)
                at += length
        if not known:
            said[NO_ID] += 1
            continue
        if stop < 0:
            said[UNREADABLE] += 1
            continue
        said[NO_VALUES] += size < 0
        end = stop
        ends[row] = end
        row += 1
    return row


@njit(nogil=True, cache=True)
def parse_number(data: np.ndarray, at: int, stop: int) -> tuple[float, int]:
    """Read a decimal number from `at`; give it and where it ends (-1: it is none).

    Up to 18 digits and |exponent| ≤ 22 are exact in double precision (Clinger 1990), which covers every
    float4 and float8 that PostgreSQL prints but the largest and smallest; those are off by an ulp at most.
    """
    negative = at < stop and data[at] == 45
    at += negative or (at < stop and data[at] == 43)
    begin = at
    digits = np.int64(0)
    kept = exponent = 0
    while at < stop and 48 <= data[at] <= 57:
        if kept < 18:
            digits = digits * 10 + (data[at] - 48)
            kept += digits > 0
        else:
            exponent += 1
        at += 1
    seen = at - begin
    if at < stop and data[at] == 46:
        at += 1
        point = at
        while at < stop and 48 <= data[at] <= 57:
            if kept < 18:
                digits = digits * 10 + (data[at] - 48)
                kept += digits > 0
                exponent -= 1
            at += 1
        seen += at - point
    if seen == 0:
        return parse_word(data, begin, stop, negative)
    if at < stop and (data[at] == 101 or data[at] == 69):
        at += 1
        down = at < stop and data[at] == 45
        at += down or (at < stop and data[at] == 43)
        power = 0
        while at < stop and 48 <= data[at] <= 57:
            power = min(power * 10 + (data[at] - 48), 9999)
            at += 1
        exponent += -power if down else power
    value = np.float64(digits)
    if -22 <= exponent < 0:
        value /= TENS[-exponent]
    elif 0 < exponent <= 22:
        value *= TENS[exponent]
    elif exponent != 0:
        value *= 10.0**exponent
    return (-value if negative else value), at


@njit(nogil=True, cache=True)
def parse_word(data: np.ndarray, at: int, stop: int, negative: bool) -> tuple[float, int]:
    """Read NaN, NULL, inf or Infinity, in small letters or large (by their letters' count)."""
    begin = at
    while at < stop and 65 <= (data[at] & 223) <= 90:
        at += 1
    first = data[begin] & 223 if at > begin else 0
    if first == 78 and at - begin in (3, 4):
        return math.nan, at
    if first == 73 and at - begin in (3, 8):
        return (-math.inf if negative else math.inf), at
    return 0.0, -1


@njit(nogil=True, cache=True)
def _list(data: np.ndarray, at: int, stop: int, values: np.ndarray, end: int) -> int:
    """Read `{1,2.5,NULL}` (or with square brackets); give where the values end, or -1."""
    if stop - at < 2 or data[at] not in (123, 91) or data[stop - 1] not in (125, 93):
        return -1
    at += 1
    stop -= 1
    while at < stop:
        while at < stop and data[at] == 32:
            at += 1
        values[end], at = parse_number(data, at, stop)
        if at < 0:
            return -1
        end += 1
        while at < stop and data[at] == 32:
            at += 1
        if at < stop:
            if data[at] != 44 or at + 1 == stop:
                return -1
            at += 1
    return end


@njit(nogil=True, cache=True)
def read_text(
    data: np.ndarray,
    id_field: int,
    values_field: int,
    ids: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    said: np.ndarray,
) -> int:
    """Read whole lines of COPY's text format whose values are arrays; say how many series."""
    at = row = end = 0
    size = len(data)
    while at < size:
        field = 0
        known, stop = 0, end
        empty = False
        begin = at
        while True:
            if at >= size or data[at] == 9 or data[at] == 10:
                null = at - begin == 2 and data[begin] == 92 and data[begin + 1] == 78
                if field == id_field:
                    known = 0 if null else _id(data, begin, at, ids, row)
                elif field == values_field:
                    empty = null
                    stop = end if null else _list(data, begin, at, values, end)
                field += 1
                begin = at + 1
                if at >= size or data[at] == 10:
                    break
            at += 1
        at += 1
        if field <= max(id_field, values_field) or known < 0 or stop < 0:
            said[UNREADABLE] += 1
        elif known == 0:
            said[NO_ID] += 1
        else:
            said[NO_VALUES] += empty
            end = stop
            ends[row] = end
            row += 1
    return row


@njit(nogil=True, cache=True)
def _id(data: np.ndarray, begin: int, stop: int, ids: np.ndarray, row: int) -> int:
    """Read a whole number; 1 where it is one, else -1."""
    negative = begin < stop and data[begin] == 45
    value = np.int64(0)
    at = begin + negative
    if at == stop or stop - at > 19:
        return -1
    while at < stop:
        if not 48 <= data[at] <= 57:
            return -1
        value = value * 10 + (data[at] - 48)
        at += 1
    ids[row] = -value if negative else value
    return 1


@njit(nogil=True, cache=True)
def count_missing(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many values of each series are missing, and how many are infinite."""
    n = len(offsets) - 1
    missing = np.zeros(n, np.int64)
    infinite = np.zeros(n, np.int64)
    for i in range(n):
        for j in range(offsets[i], offsets[i + 1]):
            x = values[j]
            missing[i] += math.isnan(x)
            infinite[i] += math.isinf(x)
    return missing, infinite


@njit(nogil=True, cache=True)
def uneven(times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Whether a series' times leave one out: a step of more than 1.5 × the smallest, or a time twice."""
    n = len(offsets) - 1
    found = np.zeros(n, np.bool_)
    for i in range(n):
        least, most = math.inf, -math.inf
        for j in range(offsets[i] + 1, offsets[i + 1]):
            step = times[j] - times[j - 1]
            least, most = min(least, step), max(most, step)
        found[i] = most > 1.5 * least or least <= 0
    return found
