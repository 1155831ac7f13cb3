"""The other process of `Isolated`: `python -m okulo.serve.child SPEC SOCKET MEMORY LIFE` (file descriptors).

It waits for "so many bytes lie in the shared memory", answers behind them, and ends when its parent does.
"""

import contextlib
import mmap
import os
import signal
import socket
import struct
import sys
import threading

from okulo.serve.named import find_postprocess
from okulo.serve.wire import pack, put, unpack

ASK = struct.Struct("<QQ")
"""Bytes of the request, capacity of the memory."""
REPLY = struct.Struct("<BQQ")
"""Kind, where the reply starts, its bytes."""
HELLO, ANSWER, ERROR = 0, 1, 2


def read_exactly(channel: socket.socket, count: int) -> bytes:
    """Read so many bytes; EOFError when the other side is gone."""
    data = b""
    while len(data) < count:
        some = channel.recv(count - len(data))
        if not some:
            raise EOFError
        data += some
    return data


def serve(spec: str, channel: socket.socket, memory_fd: int) -> None:
    """Answer until the parent hangs up."""
    predictor = find_postprocess(spec)
    channel.sendall(REPLY.pack(HELLO, 0, 0))
    memory, capacity = mmap.mmap(memory_fd, 0), 0
    while True:
        size, capacity = ASK.unpack(read_exactly(channel, ASK.size))
        if capacity != len(memory):
            memory = mmap.mmap(memory_fd, capacity)
        try:
            batch = unpack(memoryview(memory)[:size])
            answers = predictor.predict(batch)
            kind, (length, parts) = ANSWER, pack(list(answers))
        except Exception as error:  # the parent tells whoever asked; this process goes on
            kind, (length, parts) = ERROR, pack(f"{type(error).__name__}: {error}"[:2000])
        if size + length > len(memory):
            os.ftruncate(memory_fd, size + length)
            memory = mmap.mmap(memory_fd, size + length)
        put(memoryview(memory)[size : size + length], parts)
        batch = answers = parts = None  # type: ignore[assignment]  # views of the memory end here
        channel.sendall(REPLY.pack(kind, size, length))


def end_with(life_fd: int) -> None:
    """End this process when the parent, who holds the other end, is gone, even in the middle of work."""
    os.read(life_fd, 1)
    os._exit(0)


def main() -> None:
    """Start as a child."""
    spec, *numbers = sys.argv[1:]
    channel_fd, memory_fd, life_fd = map(int, numbers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(life_fd,), daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent hung up: that is the end
        serve(spec, socket.socket(fileno=channel_fd), memory_fd)


if __name__ == "__main__":
    main()
