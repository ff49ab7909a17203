"""What each ingredient of the reader's diet brings, and what a camera never seen costs.

Short trainings from nothing that differ in one thing only: an ingredient, the weather, frames that cut a plate, or a whole
collection of real crops kept out. All see the same number of pictures with the same seed; they show
the order of things, not what the shipped reader reaches after a hundred times as many.
"""

import json
import pathlib
import shutil

import numpy as np
import torch

from .alphabet import UNKNOWN, decode, encode
from .crops import MIX
from .data import read_set, split
from .geometry import straighten
from .grammar import KINDS
from .networks import Reader
from .train_reader import Samples, read_all, spoiled_held_out, train, validation, whole

VARIANTS = [(), *((name,) for name in MIX if name not in ("patch", "nothing")), ("weather",), ("cut",)]
TWO_ROWS = ("yellow-rear", "trailer", "motorcycle", "military-two", "police-motorcycle")


def collections(data: pathlib.Path, least: int = 200) -> list[str]:
    """Sources of real crops that are large enough to be measured on when they are kept out."""
    count: dict[str, int] = {}
    for i in read_set(data, "train/crops"):
        count[i.source] = count.get(i.source, 0) + 1
    return [s for s, n in sorted(count.items(), key=lambda v: -v[1]) if n >= least]


def spoiled(data: pathlib.Path, seed: int = 5):
    """Held-out real crops under weather, light and corner error: (images, texts)."""
    maker = Samples(data, None, seed, without=("cut",)).maker
    maker.rng = np.random.default_rng(seed)
    crops = list(spoiled_held_out(maker, data, 1))
    return np.stack([image for image, _ in crops]), [decode(label) for _, label in crops]


def drawn_kinds(data: pathlib.Path, fonts, kinds, each: int = 24, seed: int = 6):
    """Drawn plates of the given kinds on held-out ground: (images, texts)."""
    from .drawing import draw_plate
    from .geometry import paste, random_view
    from .grammar import random_spec
    maker = Samples(data, fonts, seed, without=("cut",)).maker
    maker.rng = rng = np.random.default_rng(seed)
    images, texts = [], []
    for kind in kinds:
        for _ in range(each):
            spec = random_spec(rng, kind)
            scene = maker.surroundings(260, 180)
            quad = (random_view(rng, spec.size, 35, 20, 8) * rng.uniform(90, 200) + [130, 90]).astype(np.float32)
            paste(scene, draw_plate(rng, maker.glyphs, spec, 0.5), quad)
            crop, label, *_ = maker._finish(scene, quad, spec.text, UNKNOWN, spec.rows - 1)
            images.append(crop)
            texts.append(decode(label))
    return np.stack(images), texts


def measure(net, sets) -> dict:
    """Share of the characters right: a short training reads few plates whole, and the share still tells trainings apart."""
    figures = {}
    for name, images, texts in sets:
        labels = np.array([encode(t) for t in texts])
        figures[name] = float((read_all(net, images).argmax(2) == labels)[labels > 0].mean())
    return figures


def ablate(data: pathlib.Path, work: pathlib.Path, fonts, seed=1, images=60_000, pool_size=12_000, jobs=1, device="cpu", threads=1) -> None:
    """Train every variant that is not done yet and write `ablation.json` into the work folder."""
    target = work / "ablation.json"
    done = json.loads(target.read_text(encoding="utf8")) if target.exists() else {"images": images, "rows": {}, "collections": {}}
    sets = validation(data)
    sets.append(("spoiled", *spoiled(data)))
    sets.append(("drawn, one row", *drawn_kinds(data, fonts, [k for k in KINDS if k not in TWO_ROWS])))
    sets.append(("drawn, two rows", *drawn_kinds(data, fonts, TWO_ROWS)))
    away = {s: [i for i in read_set(data, "train/crops") if i.source == s] for s in collections(data)}
    whole_sets = [(s, np.stack([straighten(i.load(), whole(i.load())) for i in items]), [i.plate for i in items]) for s, items in away.items()]
    jobs_left = [v for v in VARIANTS + [(f"source:{s}",) for s in away]
                 if not (v and v[0].startswith("source:") and v[0][7:] in done["collections"]) and " ".join(v) not in done["rows"]]
    for n, variant in enumerate(jobs_left):
        name = " ".join(variant)
        print(f"ablation {n + 1} of {len(jobs_left)}: without {name or 'nothing'}", flush=True)
        folder = work / "ablation" / (name.replace("/", "-").replace(":", "-") or "full")
        train(data, folder, fonts, seed=seed, images=images, pool_size=pool_size, refresh=2, batch=32, jobs=jobs, device=device, threads=threads, without=variant)
        net = Reader()
        net.load_state_dict(torch.load(folder / "reader/best.pt", weights_only=False)["net"])
        net.to(device)
        figures = measure(net, sets)
        if variant and variant[0].startswith("source:"):
            source = variant[0][7:]
            figures["kept out"] = measure(net, [s for s in whole_sets if s[0] == source])[source]
            done["collections"][source] = {**figures, "crops": len(away[source])}
        else:
            if not variant:  # what the same crops give when they were trained on, to compare a kept-out collection with
                done["known"] = measure(net, whole_sets)
            done["rows"][name] = figures
        target.write_text(json.dumps(done, ensure_ascii=False, indent=1), encoding="utf8")
        print(f"ablation without {name or 'nothing'}: {figures}", flush=True)
        shutil.rmtree(folder / "reader" / "pool")
