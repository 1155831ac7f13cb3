"""What the server counts, for Prometheus: each service has its own registry, nothing is global."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
Gauges = Callable[[], Iterable[tuple[str, str, dict[str, str], float]]]
"""What is so now: name, help, labels, value."""


class Metrics:
    """Counts requests, queues, batches, stages, refusals and errors."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        in_ = self.registry
        self._requests = Counter("okulo_requests", "requests by outcome", ["model", "code"], registry=in_)
        self._seconds = Histogram(
            "okulo_request_seconds",
            "from the request's last byte to the answer",
            ["model"],
            buckets=SECONDS,
            registry=in_,
        )
        self._waits = Histogram(
            "okulo_queue_wait_seconds", "waiting for a worker", ["stage"], buckets=SECONDS, registry=in_
        )
        self._batches = Histogram(
            "okulo_batch_items", "items a worker took at once", ["stage"], buckets=ITEMS, registry=in_
        )
        self._stages = Histogram(
            "okulo_stage_seconds", "one batch in one stage", ["stage"], buckets=SECONDS, registry=in_
        )
        self._answers = Counter(
            "okulo_answers", "classified pictures; known=no is 'don't know'", ["model", "known"], registry=in_
        )
        self._rejects = Counter("okulo_rejects", "refused or dropped, by reason", ["reason"], registry=in_)
        self._errors = Counter(
            "okulo_errors", "batches or items that failed", ["stage", "kind"], registry=in_
        )
        self._reloads = Counter(
            "okulo_model_loads", "model files loaded while serving", ["model", "outcome"], registry=in_
        )
        self._known: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._by_stage: dict[str, tuple[Histogram, Histogram, Histogram]] = {}
        self._answered: dict[str, tuple[Counter, Counter]] = {}
        self._total = 0

    def request(self, model: str, code: str, seconds: float) -> None:
        """One request was answered."""
        pair = self._known.get((model, code))
        if pair is None:
            pair = self._known[model, code] = (
                self._requests.labels(model, code),
                self._seconds.labels(model),
            )
        self._total += 1
        pair[0].inc()
        pair[1].observe(seconds)

    def total(self) -> int:
        """How many requests were answered."""
        return self._total

    def answers(self, model: str, known: int, unknown: int) -> None:
        """So many pictures got a label, so many "don't know"."""
        pair = self._answered.get(model)
        if pair is None:
            pair = self._answers.labels(model, "yes"), self._answers.labels(model, "no")
            self._answered[model] = pair
        if known:
            pair[0].inc(known)
        if unknown:
            pair[1].inc(unknown)

    def reject(self, reason: str) -> None:
        """A request was refused, or its items dropped."""
        self._rejects.labels(reason).inc()

    def reload(self, model: str, outcome: str) -> None:
        """A changed file was loaded, or could not be."""
        self._reloads.labels(model, outcome).inc()

    def batch(self, stage: str, items: int, seconds: float, waits_s: Sequence[float]) -> None:
        """One batch was answered."""
        trio = self._by_stage.get(stage)
        if trio is None:
            trio = self._by_stage[stage] = (
                self._batches.labels(stage),
                self._stages.labels(stage),
                self._waits.labels(stage),
            )
        trio[0].observe(items)
        trio[1].observe(seconds)
        for wait_s in waits_s:
            trio[2].observe(wait_s)

    def failure(self, stage: str, error: Exception) -> None:
        """A predictor raised."""
        self._errors.labels(stage, type(error).__name__).inc()

    def show_also(self, gauges: Gauges) -> None:
        """Ask this for what is so now, at every scrape."""
        self.registry.register(_Now(gauges))

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Now(Collector):
    """Gauges that are read when they are asked for."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, help, labels, value in self._gauges():
            family = families.setdefault(name, GaugeMetricFamily(name, help, labels=list(labels)))
            family.add_metric(list(labels.values()), value)
        return families.values()
