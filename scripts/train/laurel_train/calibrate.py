"""How sure a read is, in numbers that hold: raw confidence to the share that is right, from validation."""

import numpy as np

from .alphabet import encode


def monotone(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pool adjacent violators: the best non-decreasing fit."""
    blocks: list[list[float]] = []
    for v, w in zip(values, weights):
        blocks.append([v, w, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            b, a = blocks.pop(), blocks.pop()
            blocks.append([(a[0] * a[1] + b[0] * b[1]) / (a[1] + b[1]), a[1] + b[1], a[2] + b[2]])
    return np.concatenate([np.full(int(n), v) for v, _, n in blocks])


def lower_bound(right: np.ndarray, count: np.ndarray, z: float = 1.0) -> np.ndarray:
    """Wilson's lower bound: what the data supports, not more."""
    p = right / count
    return (p + z * z / (2 * count) - z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count))) / (1 + z * z / count)


def fit(raw: np.ndarray, right: np.ndarray, weight: np.ndarray | None = None, bins: int = 24) -> list[list[float]]:
    """Points [raw, calibrated] of a monotone piecewise-linear map."""
    order = np.argsort(raw)
    raw, right = raw[order], right[order].astype(float)
    edges = np.unique(np.linspace(0, len(raw), bins + 1).astype(int))
    # equal shares of the reads, the sure end cut finer
    tail = len(raw) - edges[-2]
    if tail > 400:
        edges = np.unique(np.concatenate([edges[:-1], edges[-2] + (np.array([0.5, 1.0]) * tail).astype(int)]))
    mids, shares, counts = [], [], []
    for a, b in zip(edges[:-1], edges[1:]):
        mids.append(raw[a:b].mean())
        shares.append(right[a:b].sum())
        counts.append(b - a)
    counts = np.array(counts, float)
    values = monotone(lower_bound(np.array(shares), counts), counts)
    points = [[0.0, 0.0]]
    for x, y in zip(mids, values):
        if x > points[-1][0] + 1e-4:
            points.append([round(float(x), 5), round(float(min(y, 0.999)), 5)])
    if points[-1][0] < 1:
        points.append([1.0, points[-1][1]])
    return points


def table(confidence: np.ndarray, right: np.ndarray):
    """Rows (from, to, reads, mean confidence, share right)."""
    rows = []
    edges = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0001]
    for a, b in zip(edges[:-1], edges[1:]):
        m = (confidence >= a) & (confidence < b)
        if m.any():
            rows.append((a, min(b, 1.0), int(m.sum()), float(confidence[m].mean()), float(right[m].mean())))
    return rows


def right_reads(probabilities: np.ndarray, texts: list[str]) -> np.ndarray:
    return (probabilities.argmax(2) == np.array([encode(t) for t in texts])).all(1)
