"""The load: a closed loop of clients over loopback in this process; prints what it saw as one line of JSON.

`python load.py HOST PORT REQUEST_FILE CLIENTS SECONDS [RATE]` sends the bytes of the file again and again,
each client as soon as it has its answer, or all of them RATE times a second (open loop, for overload).
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path

import uvloop

WARM_S = 0.5
CHUNKED = 1 << 60


class Client(asyncio.Protocol):
    """One connection: sends, reads one answer, sends again."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.data = b""
        self.need = -1
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        self.data = self.data + data if self.data else data
        if self.need < 0:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.data[:end].lower()
            self.status = int(head[9:12])
            at = head.find(b"content-length:")
            stop = head.find(b"\r\n", at)
            self.need = end + 4 + int(head[at + 15 : stop if stop > 0 else None]) if at >= 0 else CHUNKED
        if self.data.endswith(b"\r\n0\r\n\r\n") if self.need == CHUNKED else len(self.data) >= self.need:
            self.data, self.need = b"", -1
            self.load.answered(self, self.status, time.perf_counter() - self.sent)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """All clients, and what they saw."""

    def __init__(
        self, host: str, port: int, request: bytes, clients: int, seconds: float, rate: float
    ) -> None:
        self.host, self.port, self.request = host, port, request
        self.clients, self.seconds, self.rate = clients, seconds, rate
        self.latencies: list[float] = []
        self.codes: dict[int, int] = {}
        self.refusals: list[float] = []
        self.broken = 0
        self.measuring = False
        self.ended = False
        self.idle: list[Client] = []
        self.late = 0

    def answered(self, client: Client, status: int, seconds: float) -> None:
        if self.measuring:
            self.codes[status] = self.codes.get(status, 0) + 1
            (self.latencies if status == 200 else self.refusals).append(seconds)
        if self.ended:
            client.transport.close()
        elif self.rate:
            self.idle.append(client)
        else:
            client.send()

    def lost(self, client: Client) -> None:
        if not self.ended:
            self.broken += 1

    async def arrive(self) -> None:
        """Send at random times, `rate` a second, whatever the answers do."""
        due = time.perf_counter()
        while not self.ended:
            due += random.expovariate(self.rate)
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            if self.idle:
                self.idle.pop().send()
            else:
                self.late += 1

    async def run(self) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        for _ in range(self.clients):
            await loop.create_connection(lambda: Client(self), self.host, self.port)
        helper = asyncio.ensure_future(self.arrive()) if self.rate else None
        await asyncio.sleep(WARM_S)
        print("measuring", flush=True)
        self.measuring, began, cpu = True, time.perf_counter(), time.process_time()
        await asyncio.sleep(self.seconds)
        self.measuring, seconds = False, time.perf_counter() - began
        print("measured", flush=True)
        cpu = time.process_time() - cpu
        self.ended = True
        if helper:
            helper.cancel()
        times = sorted(self.latencies) or [float("nan")]
        refused = sorted(self.refusals) or [0.0]
        return {
            "seconds": seconds,
            "good": len(self.latencies),
            "rps": len(self.latencies) / seconds,
            "p50_ms": 1e3 * times[len(times) // 2],
            "p99_ms": 1e3 * times[int(len(times) * 0.99)],
            "refused_p50_ms": 1e3 * refused[len(refused) // 2],
            "refused_p99_ms": 1e3 * refused[int(len(refused) * 0.99)],
            "codes": self.codes,
            "broken": self.broken,
            "no_client_free": self.late,
            "client_cpu_s": cpu,
        }


def main() -> None:
    host, port, file, clients, seconds, *rate = sys.argv[1:]
    load = Load(host, int(port), Path(file).read_bytes(), int(clients), float(seconds), float(*rate or [0]))
    uvloop.install()
    print(json.dumps(asyncio.run(load.run())), flush=True)


if __name__ == "__main__":
    main()
