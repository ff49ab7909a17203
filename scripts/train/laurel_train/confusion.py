"""Which characters the reader takes for which, measured on held-out plates, as costs for comparing plates with lists."""

import datetime
import json
import pathlib

import numpy as np

from .alphabet import ALPHABET, DIGITS, INDEX, LETTERS, PROVINCES
from .data import read_set, split
from .pair import Pair
from .train_reader import Samples, spoiled_held_out

# A pair confused thirty times less often than the worst one is no look-alike any more.
DECADES = 1.5
# Only reads that are right but for the one character tell about look-alikes; a picture that shows nothing tells nothing.
SURE_OF_THE_REST, DOUBT = 0.4, 0.05
NEAREST, NEAR = 0.26, 0.5


def held_out_reads(pair: Pair, data: pathlib.Path, fonts, seed: int = 9, painted: int = 9_000):
    """Reads of held-out real plates under light, weather and corner error, as they are and with other characters
    painted in, so that every province is among them: (slot probabilities, labels)."""
    maker = Samples(data, fonts, seed, without=("cut",)).maker
    maker.rng = np.random.default_rng(seed)
    crops = list(spoiled_held_out(maker, data, 4))
    images, labels = [image for image, _ in crops], [label for _, label in crops]
    maker.patches = maker._load(split(read_set(data, "train/patches"))[1])
    maker.patch_weights = np.linspace(0, 1, len(maker.patches) + 1)[1:]
    for _ in range(painted):
        crop, label, *_ = maker.painted()
        images.append(crop)
        labels.append(label)
    parts = [pair.read_crops(np.stack(images[i: i + 512]))[0] for i in range(0, len(images), 512)]
    return np.concatenate(parts), np.array(labels)


def rates(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[A,A]: how much of its belief the reader gives to one character where the other stands, both ways together,
    in reads that are sure and right about all the other characters."""
    n = len(ALPHABET)
    given, count = np.zeros((n, n)), np.zeros(n)
    true = np.take_along_axis(probabilities, labels[:, :, None], 2)[:, :, 0]
    for slot in range(labels.shape[1]):
        rest = np.delete(true, slot, 1).prod(1) > SURE_OF_THE_REST
        belief = probabilities[rest, slot]
        np.add.at(given, labels[rest, slot], np.where(belief > DOUBT, belief, 0))
        np.add.at(count, labels[rest, slot], 1)
    return (given + given.T) / np.maximum(count[:, None] + count[None, :], 1)


def costs(rate: np.ndarray) -> list[tuple[str, float]]:
    """Pairs of provinces, and of letters and digits, near enough to be look-alikes, with their costs, the nearest first."""
    pairs = []
    for group in (PROVINCES, LETTERS + DIGITS):
        at = [(c, INDEX[c]) for c in group]
        found = [(a + b, rate[i, j]) for n, (a, i) in enumerate(at) for b, j in at[n + 1:]]
        most = max(r for _, r in found)
        for text, r in found:
            cost = NEAREST + (NEAR - NEAREST) * np.log10(most / max(r, 1e-12)) / DECADES
            if cost <= NEAR:
                pairs.append((text, round(float(cost), 2)))
    return sorted(pairs, key=lambda p: (p[1], p[0]))


def write_confusion(models: pathlib.Path, data: pathlib.Path, fonts, work: pathlib.Path, target: pathlib.Path) -> None:
    """The measured table as the plate room's source file, and into the work folder's report for the model card."""
    probabilities, labels = held_out_reads(Pair(models), data, fonts)
    pairs = costs(rates(probabilities, labels))
    right = float((probabilities.argmax(2) == labels).all(1).mean())
    by_cost: dict[float, list[str]] = {}
    for text, cost in pairs:
        by_cost.setdefault(cost, []).append(text)
    rows = "\n".join(f"  [{cost}, '{' '.join(texts)}']," for cost, texts in by_cost.items())
    target.write_text(f"""/**
 * Written by `scripts/train/run --steps confusion` on {datetime.date.today().isoformat()}: what the shipped reader takes for what on
 * {len(labels)} held-out plates under light, weather and corner error ({100 * right:.1f} % of them read right). Pairs by cost of a
 * substitution; {NEAREST} is the pair confused most, {NEAR} one confused {10 ** DECADES:.0f} times less often, in reads sure of all the rest. Provinces and the other
 * characters are scaled apart, for a province is confused far more often than anything else.
 */
export const MEASURED_CONFUSIONS: readonly (readonly [cost: number, pairs: string])[] = [
{rows}
];
""", encoding="utf8")
    out = work / "report"
    out.mkdir(parents=True, exist_ok=True)
    (out / "confusion.json").write_text(json.dumps({"reads": len(labels), "right": right, "pairs": pairs}, ensure_ascii=False), encoding="utf8")
    print(f"{len(pairs)} pairs from {len(labels)} reads, {100 * right:.1f} % right; the nearest: {pairs[:12]}", flush=True)
