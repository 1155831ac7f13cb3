"""Cut a mesh into what networks take: padded rings, clusters, patches, voxels; compiled."""

import numpy as np

from okulo.algo.mesh.compiled import compiled


@compiled
def padded_rings(rows, ring_start, ring, width):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """The first `width` neighbours of some faces; places left over name the face itself."""
    out = np.empty((len(rows), width), np.int64)
    for r in range(len(rows)):
        i = rows[r]
        for k in range(width):
            s = ring_start[i] + k
            out[r, k] = ring[s] if s < ring_start[i + 1] else i
    return out


@compiled
def clusters(across):  # type: ignore[no-untyped-def]
    """Put faces together, each free face with its free neighbours: which cluster, and its up to 4 faces."""
    parent = np.full(len(across), -1, np.int64)
    members = np.full((len(across), 4), -1, np.int64)
    count = 0
    for i in range(len(across)):
        if parent[i] >= 0:
            continue
        parent[i] = count
        members[count, 0] = i
        size = 1
        for k in range(3):
            j = across[i, k]
            if j >= 0 and parent[j] < 0:
                parent[j] = count
                members[count, size] = j
                size += 1
        for k in range(size, 4):
            members[count, k] = i
        count += 1
    return parent, members[:count]


@compiled
def cluster_links(parent, members, across, width):  # type: ignore[no-untyped-def]
    """Up to `width` neighbouring clusters of each; places left over name the cluster itself."""
    out = np.empty((len(members), width), np.int64)
    for c in range(len(members)):
        size = 0
        for m in range(4):
            for k in range(3):
                j = across[members[c, m], k]
                if j < 0 or parent[j] == c or size == width:
                    continue
                known = False
                for s in range(size):
                    known = known or out[c, s] == parent[j]
                if not known:
                    out[c, size] = parent[j]
                    size += 1
        for k in range(size, width):
            out[c, k] = c
    return out


@compiled
def grow_patches(ring_start, ring, size, most):  # type: ignore[no-untyped-def]
    """Cover a mesh by patches: each begins at a face in no patch's inner half, and grows ring by ring.

    Returns faces (p, size) and how many of them are real; a small component's patch repeats its first face.
    """
    count = len(ring_start) - 1
    covered = np.zeros(count, np.bool_)
    mark = np.full(count, -1, np.int64)
    patches = np.empty((most, size), np.int64)
    real = np.empty(most, np.int64)
    made = 0
    for i in range(count):
        if covered[i] or made == most:
            continue
        patches[made, 0] = i
        mark[i] = made
        filled = 1
        at = 0
        while at < filled and filled < size:
            f = patches[made, at]
            for s in range(ring_start[f], ring_start[f + 1]):
                j = ring[s]
                if mark[j] != made and filled < size:
                    mark[j] = made
                    patches[made, filled] = j
                    filled += 1
            at += 1
        for k in range(min(filled, size // 2)):
            covered[patches[made, k]] = True
        real[made] = filled
        for k in range(filled, size):
            patches[made, k] = i
        made += 1
    return patches[:made], real[:made]


@compiled
def patch_links(patches, real, ring_start, ring, width):  # type: ignore[no-untyped-def]
    """Each patch face's neighbours as places within the patch; places left over name the face itself."""
    count, size = patches.shape
    place = np.full(len(ring_start) - 1, -1, np.int64)
    out = np.empty((count, size, width), np.int64)
    for p in range(count):
        for k in range(real[p]):
            place[patches[p, k]] = k
        for k in range(size):
            filled = 0
            if k < real[p]:
                f = patches[p, k]
                for s in range(ring_start[f], ring_start[f + 1]):
                    if place[ring[s]] >= 0 and filled < width:
                        out[p, k, filled] = place[ring[s]]
                        filled += 1
            for w in range(filled, width):
                out[p, k, w] = k
        for k in range(real[p]):
            place[patches[p, k]] = -1
    return out


@compiled
def voxels(rows, frames, centres, areas, normals, ring_start, ring, cell, side):  # type: ignore[no-untyped-def]
    """Put the faces of two rings around each row into a grid in its frame: area, and normal by area."""
    out = np.zeros((len(rows), 4, side, side, side), np.float32)
    mark = np.full(len(centres), -1, np.int64)
    queue = np.empty(512, np.int64)
    for r in range(len(rows)):
        i = rows[r]
        queue[0] = i
        mark[i] = r
        filled = 1
        ends = 0
        for _ in range(2):
            begins, ends = ends, filled
            for at in range(begins, ends):
                f = queue[at]
                for s in range(ring_start[f], ring_start[f + 1]):
                    j = ring[s]
                    if mark[j] != r and filled < 512:
                        mark[j] = r
                        queue[filled] = j
                        filled += 1
        for at in range(filled):
            j = queue[at]
            inside = True
            place = np.zeros(3, np.int64)
            for d in range(3):
                along = 0.0
                for k in range(3):
                    along += frames[r, d, k] * (centres[j, k] - centres[i, k])
                place[d] = int(np.floor(along / cell + side / 2))
                inside = inside and 0 <= place[d] < side
            if not inside:
                continue
            x, y, z = place
            out[r, 0, x, y, z] += areas[j]
            for d in range(3):
                along = 0.0
                for k in range(3):
                    along += frames[r, d, k] * normals[j, k]
                out[r, 1 + d, x, y, z] += areas[j] * along
    return out


@compiled
def differences(described, first, second):  # type: ignore[no-untyped-def]
    """Squared distance of pairs of each face's vectors."""
    out = np.empty((len(described), len(first)), np.float32)
    for i in range(len(described)):
        for p in range(len(first)):
            total = np.float32(0)
            for d in range(3):
                gap = described[i, first[p], d] - described[i, second[p], d]
                total += gap * gap
            out[i, p] = total
    return out


@compiled
def even_faces(values, across, turns):  # type: ignore[no-untyped-def]
    """Average numbers of faces with those of the faces across their edges, again and again."""
    here = values
    for _ in range(turns):
        out = np.empty_like(values)
        for i in range(len(values)):
            count = np.float32(1)
            for c in range(values.shape[1]):
                out[i, c] = here[i, c]
            for k in range(3):
                j = across[i, k]
                if j >= 0:
                    count += np.float32(1)
                    for c in range(values.shape[1]):
                        out[i, c] += here[j, c]
            for c in range(values.shape[1]):
                out[i, c] /= count
        here = out
    return here
