"""Train the detector. Resumable; best checkpoint by held-out training pictures only."""

import json
import pathlib
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from .data import read_set, split
from .decode import LONG_SIDE, find_plates, letterbox, quad_iou
from .networks import Detector, averaged, half_precision, parameters
from .pools import Pool
from .recover import images_before
from .scenes import MOST, SIDE, SceneMaker
from .train_reader import load_weights

FIELDS = {
    "image": ((SIDE, SIDE, 3), np.uint8),
    "quads": ((MOST, 4, 2), np.float32),
    "kind": ((MOST, 2), np.int8),  # rows - 1 or -1 for an empty place; 1 keep or 0 ignore
}


class Samples:
    def __init__(self, data, fonts, seed: int):
        self.base = seed
        self.maker = SceneMaker(data, fonts, seed)

    def seed(self, n: int) -> None:
        self.maker.rng = np.random.default_rng([self.base, n])

    def sample(self) -> dict:
        image, quads, rows, keep = self.maker.sample()
        q = np.zeros((MOST, 4, 2), np.float32)
        kind = np.full((MOST, 2), -1, np.int8)
        for i in range(len(rows)):
            q[i], kind[i] = quads[i], (rows[i], keep[i])
        return {"image": image, "quads": q, "kind": kind}


def targets(quads: np.ndarray, kinds: np.ndarray, side: int = SIDE, stride: int = 8):
    """Heat [n,2,g,g], corner offsets [n,8,g,g], their weight [n,g,g], plate size [n,g,g], loss mask [n,g,g]."""
    n, g = len(quads), side // stride
    heat = np.zeros((n, 2, g, g), np.float32)
    corners = np.zeros((n, 8, g, g), np.float32)
    weight = np.zeros((n, g, g), np.float32)
    size = np.ones((n, g, g), np.float32)
    mask = np.ones((n, g, g), np.float32)
    c = (np.arange(g, dtype=np.float32) + 0.5) * stride
    yy, xx = np.meshgrid(c, c, indexing="ij")
    for b in range(n):
        for q, (rows, keep) in zip(quads[b], kinds[b]):
            if rows < 0:
                continue
            x0, y0 = (q.min(0) / stride).astype(int)
            x1, y1 = np.ceil(q.max(0) / stride).astype(int)
            if not keep:
                mask[b, max(0, y0): y1 + 1, max(0, x0): x1 + 1] = 0
                continue
            middle = q.mean(0)
            along = (q[1] + q[2] - q[0] - q[3]) / 2
            width = float(np.linalg.norm(along))
            height = float(np.linalg.norm((q[3] + q[2] - q[0] - q[1]) / 2))
            s = float(np.clip(min(width * 0.1, height * 0.22), 4.5, 14))
            ci, cj = int(np.clip(middle[1] // stride, 0, g - 1)), int(np.clip(middle[0] // stride, 0, g - 1))
            d2 = (xx - middle[0]) ** 2 + (yy - middle[1]) ** 2
            spot = np.exp(-d2 / (2 * s * s)).astype(np.float32)
            spot[ci, cj] = 1
            heat[b, rows] = np.maximum(heat[b, rows], np.where(spot > 0.02, spot, 0))
            near = np.where(spot > 0.35, spot, 0)
            better = near > weight[b]
            weight[b][better] = near[better]
            size[b][better] = max(8.0, 0.5 * width + height)
            for k in range(4):
                corners[b, 2 * k][better] = (q[k, 0] - xx)[better]
                corners[b, 2 * k + 1][better] = (q[k, 1] - yy)[better]
    return heat, corners, weight, size, mask


def losses(score, corners, t, device):
    heat, want, weight, size, mask = (torch.from_numpy(v).to(device) for v in t)
    p = score.sigmoid().clamp(1e-4, 1 - 1e-4)
    hit = heat >= 1
    plus = -((1 - p) ** 2) * p.log() * hit
    minus = -(p ** 2) * (1 - p).log() * (1 - heat) ** 4 * (~hit) * mask[:, None]
    count = hit.sum().clamp(min=1)
    focal = (plus.sum() + minus.sum()) / count
    error = (corners - want).abs() / size[:, None]
    beta = 0.03
    smooth = torch.where(error < beta, 0.5 * error * error / beta, error - 0.5 * beta)
    place = (smooth * weight[:, None]).sum() / weight.sum().clamp(min=1)
    return focal, place


def spoil(x, g):
    n, d = len(x), x.device
    x = x * (1 + 0.2 * torch.randn(n, 1, 1, 1, generator=g).to(d)) * (1 + 0.06 * torch.randn(n, 3, 1, 1, generator=g).to(d))
    return (x + 0.06 * torch.randn(n, 1, 1, 1, generator=g).to(d)).clamp(0, 1)


def mirror(image: np.ndarray, quads: np.ndarray):
    q = quads[:, :, [1, 0, 3, 2]].copy()
    q[..., 0] = image.shape[2] - q[..., 0]
    return image[:, :, ::-1], q


def check(net, data: pathlib.Path, drawn: list, limit: int = 160):
    """Found (IoU > 0.7) and corner error as a share of the width, on held-out real scenes and drawn ones."""
    net.eval()
    device = next(net.parameters()).device
    figures = {}
    scenes = split(read_set(data, "train/scenes"))[1][:limit]
    cases = {"real": [(i.load(), [i.corners]) for i in scenes], "drawn": drawn}
    for name, pictures in cases.items():
        found, errors, count, extra = 0, [], 0, 0
        for image, quads in pictures:
            box, k = letterbox(image, LONG_SIDE if name == "real" else SIDE)
            with torch.no_grad():
                score, corners = net(torch.from_numpy(box).to(device).permute(2, 0, 1)[None].float() / 255)
            plates = find_plates(score.sigmoid()[0].cpu().numpy(), corners[0].cpu().numpy(), 0.3)
            used = set()
            for q in quads:
                count += 1
                ious = [(quad_iou(p.quad / k, q), i) for i, p in enumerate(plates)]
                best, at = max(ious, default=(0, -1))
                if best > 0.7:
                    found += 1
                    used.add(at)
                    width = np.linalg.norm(q[1] - q[0])
                    errors.append(np.linalg.norm(plates[at].quad / k - q, axis=1).mean() / width)
            extra += len(plates) - len(used)
        figures[name] = found / max(count, 1)
        figures[name + "Error"] = float(np.mean(errors)) if errors else 1.0
        figures[name + "Extra"] = extra / max(len(pictures), 1)
    return figures


def train(data, work: pathlib.Path, fonts, seed=1, images=160_000, pool_size=8_000, refresh=6, batch=16, rate=2.5e-3,
          jobs=1, device="cpu", threads=1, minutes=None, start_from=None):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    folder = work / "detector"
    pool = Pool(folder / "pool", FIELDS, pool_size)
    pool.fill(lambda: Samples(data, fonts, seed), jobs)
    fresh = Samples(data, fonts, seed + 1000)
    fresh.seed(10 ** 9)
    drawn = []
    while len(drawn) < 200:
        image, quads, _, keep = fresh.maker.sample()
        if len(quads) and all(keep):
            drawn.append((image, list(quads)))
    net = Detector().to(device).to(memory_format=torch.channels_last)
    print(f"detector: {parameters(net)} parameters, {images} images, device {device}", flush=True)
    if start_from and not (folder / "state.pt").exists():
        load_weights(net, start_from, torch.from_numpy(pool.arrays["image"][:64]).permute(0, 3, 1, 2).float() / 255)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.005)
    average = averaged(net)
    state_file = folder / "state.pt"
    before = images_before(start_from)
    seen, best, renew, log, spent = 0, -9.0, 0, [], 0.0
    if state_file.exists():
        s = torch.load(state_file, weights_only=False)
        net.load_state_dict(s["net"])
        average.load_state_dict(s["average"])
        optimiser.load_state_dict(s["optimiser"])
        seen, best, renew, log, spent, before = s["seen"], s["best"], s["renew"], s["log"], s["spent"], s["before"]
        print(f"resumed at {seen} images", flush=True)
    fresh.seed(seen)
    rng = np.random.default_rng([seed, seen])
    g = torch.Generator().manual_seed(seed * 7919 + seen)
    start, shown, last, totals = time.time() - spent, time.time(), seen, []
    every = max(batch, images // 25 // batch * batch)
    a = pool.arrays

    def progress():
        by_time = (time.time() - start) / (minutes * 60) if minutes else 0
        return min(1.0, max(seen / images, by_time))

    while progress() < 1:
        lr = rate * min(1, seen / 4000 + 0.05) * 0.5 * (1 + np.cos(np.pi * progress())) + rate * 0.005
        for group in optimiser.param_groups:
            group["lr"] = lr
        pick = np.sort(rng.integers(0, pool_size, batch))
        image, quads, kind = a["image"][pick], a["quads"][pick], a["kind"][pick]
        if rng.random() < 0.3:
            image, quads = mirror(image, quads)
        x = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(0, 3, 1, 2).float() / 255
        x = spoil(x, g).contiguous(memory_format=torch.channels_last)
        net.train()
        with half_precision(device):
            score, corners = net(x)
        focal, place = losses(score.float(), corners.float(), targets(quads, kind), device)
        loss = focal + 3.0 * place
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        average.update_parameters(net)
        seen += batch
        totals.append((float(focal.detach()), float(place.detach())))
        for _ in range(refresh):
            pool.put(renew % pool_size, fresh.sample())
            renew += 1
        if seen - last >= every or progress() >= 1:
            figures = check(average.module, data, drawn)
            goodness = figures["real"] + figures["drawn"] - 3 * (figures["realError"] + figures["drawnError"])
            spent = time.time() - start
            f, p = np.mean(totals, 0)
            log.append({"seen": seen, "focal": float(f), "corners": float(p), **figures})
            print(f"detector {seen} seen, {100 * progress():.0f} %, focal {f:.3f} corners {p:.4f}, "
                  + ", ".join(f"{k} {v:.4f}" for k, v in figures.items())
                  + f", {(seen - last) / (time.time() - shown):.0f} img/s, lr {lr:.5f}", flush=True)
            shown, last, totals = time.time(), seen, []
            torch.save({"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                        "seen": seen, "best": max(best, goodness), "renew": renew, "log": log, "spent": spent, "before": before}, state_file)
            if goodness >= best:
                best = goodness
                torch.save({"net": average.module.state_dict(), "seen": seen, "before": before, "figures": figures}, folder / "best.pt")
    (folder / "log.json").write_text(json.dumps(log, indent=1))
