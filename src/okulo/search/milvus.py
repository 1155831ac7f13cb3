"""Milvus in FAISS's place, when vectors outgrow one machine; the same calls.

An address is `milvus://host:19530/collection` (a server; `milvus://:token@host…` gives a token) or
`milvus:///path/file.db#collection` (Milvus Lite, a file). Rows keep their numbers as primary keys. Rows that
a writer put in but did not live to name in `index.json` are not counted, and are written over by the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput, need
from okulo.search.exact import Found, fill, nothing
from okulo.search.manifest import Manifest
from okulo.search.settings import Settings

PART = 2_000
"""Rows sent or asked for at a time."""
NAMED = 10_000
"""Up to so many allowed rows are named in the question; with more, answers are asked for until enough fit."""
MOST = 16_384
"""Milvus gives no longer answers."""


@dataclass(frozen=True)
class Address:
    """Where a collection is."""

    uri: str
    token: str
    collection: str


def read_address(text: str) -> Address:
    """Read a `milvus://` address.

    >>> read_address("milvus://db.example:19530/marks").uri, read_address("milvus:///tmp/v.db#marks").uri
    ('http://db.example:19530', '/tmp/v.db')
    """
    try:
        said = urlsplit(text)
        port = said.port or 19530
    except ValueError as error:
        raise BadInput("store", f"cannot be read ({error})") from error
    if said.scheme != "milvus":
        raise BadInput("store", wanted="milvus://host:port/collection", got=repr(text))
    collection = said.fragment or (said.path.strip("/") if said.hostname else "") or "okulo"
    if not collection.replace("_", "a").isalnum() or collection[0].isdigit():
        raise BadInput("store", wanted="a collection's name of letters, digits and _", got=repr(collection))
    if said.hostname:
        return Address(f"http://{said.hostname}:{port}", said.password or "", collection)
    if not said.path.endswith(".db"):
        raise BadInput("store", wanted="milvus://host:port/collection, or a file *.db", got=repr(text))
    return Address(said.path, "", collection)


@dataclass
class MilvusBlock:
    """A collection, and how many of its rows count."""

    client: Any
    collection: str
    length: int
    rows: int
    settings: Settings

    grows_at = 0
    memory = 0.0

    def __len__(self) -> int:
        return self.rows

    def search(
        self, queries: Float32[np.ndarray, "q d"], k: int, allowed: Bool[np.ndarray, " n"] | None = None
    ) -> Found:
        """The k nearest rows of those allowed."""
        if not self.rows or not len(queries):
            return nothing(len(queries), k)
        if allowed is None:
            return self._ask(queries, k, f"row < {self.rows}")
        rows = np.flatnonzero(allowed)
        if len(rows) <= NAMED:
            return self._ask(queries, k, f"row in {rows.tolist()}") if len(rows) else nothing(len(queries), k)
        share = len(rows) / len(allowed)
        many = min(MOST, round(2 * k / share) + 10)
        while True:
            found = self._ask(queries, many, f"row < {self.rows}")
            good = (found.row >= 0) & allowed[found.row]
            if many >= min(MOST, self.rows) or (good.sum(axis=1) >= k).all():
                order = np.argsort(~good, axis=1, kind="stable")[:, :k]
                row = np.where(good, found.row, -1)
                return fill(np.take_along_axis(found.score, order, 1), np.take_along_axis(row, order, 1), k)
            many = min(MOST, 4 * many)

    def _ask(self, queries: Float32[np.ndarray, "q d"], k: int, kept: str) -> Found:
        said = self.client.search(
            self.collection,
            data=list(queries),
            limit=min(k, MOST, self.rows),
            filter=kept,
            anns_field="vector",
        )
        best = nothing(len(queries), k)
        for i, hits in enumerate(said):
            for j, hit in enumerate(hits):
                best.score[i, j], best.row[i, j] = hit["distance"], hit["row"]
        return best

    def take(self, rows: Int64[np.ndarray, "..."]) -> Float32[np.ndarray, "... d"]:
        """The vectors of these rows, asked for by number."""
        wanted, place = np.unique(rows.ravel(), return_inverse=True)
        got: dict[int, Any] = {}
        for start in range(0, len(wanted), PART):
            asked = wanted[start : start + PART].tolist()
            for said in self.client.get(self.collection, ids=asked, output_fields=["vector"]):
                got[int(said["row"])] = said["vector"]
        lost = [row for row in wanted.tolist() if row not in got]
        if lost:
            raise BadInput(
                f"collection {self.collection}", f"has lost row {lost[0]}", hint="build the index anew"
            )
        block = np.array([got[row] for row in wanted.tolist()], np.float32).reshape(-1, self.length)
        return block[place.reshape(-1)].reshape(*rows.shape, self.length)

    def append(self, vectors: Float32[np.ndarray, "n d"]) -> None:
        """Write further rows, over any that a writer left unnamed."""
        for start in range(0, len(vectors), PART):
            part = vectors[start : start + PART]
            rows: Sequence[dict[str, Any]] = [
                {"row": self.rows + start + i, "vector": vector} for i, vector in enumerate(part)
            ]
            self.client.upsert(self.collection, list(rows))
        self.rows += len(vectors)

    def write(self, folder: Path, generation: int) -> dict[str, str]:
        """Nothing lies here."""
        del folder, generation
        return {}


def open_milvus(manifest: Manifest) -> MilvusBlock:
    """Open the collection an index names."""
    address = read_address(manifest.store)
    client = _connect(address)
    if not client.has_collection(address.collection):
        raise BadInput(
            f"collection {address.collection}", f"is not at {address.uri}", hint="build the index anew"
        )
    client.load_collection(address.collection)
    return MilvusBlock(client, address.collection, manifest.length, manifest.rows, manifest.settings)


def build_milvus(vectors: Float32[np.ndarray, "n d"], manifest: Manifest) -> MilvusBlock:
    """Make the collection anew and fill it."""
    pymilvus = need("pymilvus", extra="milvus", verb="a Milvus store")
    address = read_address(manifest.store)
    client = _connect(address)
    if client.has_collection(address.collection):
        client.drop_collection(address.collection)
    schema = client.create_schema(auto_id=False)
    schema.add_field("row", pymilvus.DataType.INT64, is_primary=True)
    schema.add_field("vector", pymilvus.DataType.FLOAT_VECTOR, dim=int(vectors.shape[1]))
    indexes = client.prepare_index_params()
    indexes.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
    client.create_collection(
        address.collection, schema=schema, index_params=indexes, consistency_level="Strong"
    )
    block = MilvusBlock(client, address.collection, int(vectors.shape[1]), 0, manifest.settings)
    block.append(vectors)
    return block


def _connect(address: Address) -> Any:
    pymilvus = need("pymilvus", extra="milvus", verb="a Milvus store")
    try:
        return pymilvus.MilvusClient(uri=address.uri, token=address.token, timeout=10)
    except Exception as error:  # pymilvus raises its own and gRPC's
        reason = str(error).partition("\n")[0][:160]
        raise BadInput(f"store {address.uri}", f"cannot be reached ({reason})") from error
