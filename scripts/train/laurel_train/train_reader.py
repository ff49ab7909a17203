"""Train the reader. Resumable; the last averaged weights are kept, the evaluation sets are never looked at."""

import json
import pathlib
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from . import crops
from .alphabet import CLASS_INDEX, SLOTS, UNKNOWN, encode
from .data import read_set, split
from .geometry import CROP_H, CROP_W, straighten
from .networks import Reader, averaged, half_precision, parameters
from .pools import Pool
from .recover import images_before, recover

FIELDS = {
    "image": ((CROP_H, CROP_W, 3), np.uint8),
    "label": ((SLOTS,), np.int16),
    "kind": ((2,), np.int8),
    "corners": ((8,), np.float32),
}


class Samples:
    """Crop samples as a pool wants them."""

    def __init__(self, data, fonts, seed: int, without: tuple[str, ...] = ()):
        self.base = seed
        self.maker = crops.CropMaker(data, fonts, seed, without=without)

    def seed(self, n: int) -> None:
        self.maker.rng = np.random.default_rng([self.base, n])

    def sample(self) -> dict:
        image, label, plate_class, rows, corners = self.maker.make()
        return {"image": image, "label": label, "kind": (plate_class, rows), "corners": corners}


def validation(data: pathlib.Path):
    """Real crops held out by plate text, as the runtime would cut them: (name, images, labels, texts)."""
    sets = []
    for name in ("train/patches", "train/crops"):
        _, valid = split(read_set(data, name))
        images, texts = [], []
        for i in valid:
            image = i.load()
            if i.corners is not None:
                quad = i.corners
            else:
                quad = whole(image)
            images.append(straighten(image, quad))
            texts.append(i.plate)
        sets.append((name, np.stack(images), texts))
    return sets


def spoiled_held_out(maker: crops.CropMaker, data: pathlib.Path, times: int):
    """The same held-out crops under weather, light and corner error, each `times` times as `maker` draws them:
    (image, labels) one by one."""
    for name in ("train/patches", "train/crops"):
        for item in split(read_set(data, name))[1]:
            image = item.load()
            quad = item.corners if item.corners is not None else whole(image)
            for _ in range(times):
                crop, label, *_ = maker._finish(image, quad, item.plate, CLASS_INDEX.get(item.plate_class, UNKNOWN), 0, real=True)
                yield crop, label


def whole(image: np.ndarray) -> np.ndarray:
    """The quad of a crop that holds nothing but the plate and a thin rim."""
    h, w = image.shape[:2]
    x, y = 0.025 * w, 0.06 * h
    return np.array([[x, y], [w - x, y], [w - x, h - y], [x, h - y]], np.float32)


def read_all(net, images: np.ndarray, batch: int = 256):
    """Slot probabilities of many crops."""
    net.eval()
    out = []
    device = next(net.parameters()).device
    with torch.no_grad():
        for i in range(0, len(images), batch):
            x = torch.from_numpy(images[i: i + batch]).to(device).permute(0, 3, 1, 2).float() / 255
            out.append(net(x)[0].softmax(2).cpu().numpy())
    return np.concatenate(out)


def exact(probabilities: np.ndarray, texts: list[str]) -> float:
    labels = np.array([encode(t) for t in texts])
    return float((probabilities.argmax(2) == labels).all(1).mean())


def spoil(x: torch.Tensor, g: torch.Generator) -> tuple[torch.Tensor, tuple[int, int]]:
    """Cheap fresh light, noise and one small shift for a batch [N,3,H,W] in 0..1; the shift (right, down) in pixels."""
    n, d = len(x), x.device
    gain = 1 + 0.15 * torch.randn(n, 1, 1, 1, generator=g).to(d)
    cast = 1 + 0.05 * torch.randn(n, 3, 1, 1, generator=g).to(d)
    lift = 0.05 * torch.randn(n, 1, 1, 1, generator=g).to(d)
    x = x * gain * cast + lift
    sigma = 0.02 * torch.rand(n, 1, 1, 1, generator=g).to(d)
    x = x + torch.randn(x.shape, generator=g).to(d) * sigma
    dx, dy = int(torch.randint(-2, 3, (1,), generator=g)), int(torch.randint(-1, 2, (1,), generator=g))
    if dx or dy:
        x = F.pad(x, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)), mode="replicate")
        x = x[:, :, max(-dy, 0): max(-dy, 0) + CROP_H, max(-dx, 0): max(-dx, 0) + CROP_W]
    return x.clamp(0, 1), (dx, dy)


def load_weights(net, path: pathlib.Path, pictures: torch.Tensor) -> None:
    """Weights of an earlier training: a checkpoint (as far as names and shapes agree) or an exported ONNX file."""
    if path.suffix == ".onnx":
        recover(net, path, pictures)
        print(f"started from {path}", flush=True)
        return
    old = torch.load(path, weights_only=False)["net"]
    own = net.state_dict()
    fits = {k: v for k, v in old.items() if k in own and own[k].shape == v.shape}
    net.load_state_dict(fits, strict=False)
    print(f"started from {path}: {len(fits)} of {len(own)} tensors", flush=True)


def train(data, work: pathlib.Path, fonts, seed=1, images=900_000, pool_size=60_000, refresh=40, batch=128, rate=3e-3,
          jobs=1, device="cpu", threads=1, without=(), minutes=None, start_from=None):
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    folder = work / "reader"
    pool = Pool(folder / "pool", FIELDS, pool_size)
    pool.fill(lambda: Samples(data, fonts, seed, without), jobs)
    fresh = Samples(data, fonts, seed + 1000, without)
    sets = validation(data)
    net = Reader().to(device).to(memory_format=torch.channels_last)
    print(f"reader: {parameters(net)} parameters, {images} images, device {device}", flush=True)
    if start_from and not (folder / "state.pt").exists():
        load_weights(net, start_from, torch.from_numpy(np.concatenate([i for _, i, _ in sets])).permute(0, 3, 1, 2)[::3].float() / 255)
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0}], lr=rate)
    average = averaged(net)
    state_file = folder / "state.pt"
    before = images_before(start_from)
    seen, best, renew, log, spent = 0, 0.0, 0, [], 0.0
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
    start, shown, last, losses = time.time() - spent, time.time(), seen, []
    every = max(10_000, images // 30) // batch * batch  # a look at the held-out crops costs as much as training on a thousand
    slot_weight = torch.ones(SLOTS, device=device)
    slot_weight[0] = 2.5
    a = pool.arrays

    def progress():
        by_time = (time.time() - start) / (minutes * 60) if minutes else 0
        return min(1.0, max(seen / images, by_time))

    while progress() < 1:
        p = progress()
        lr = rate * min(1, seen / min(20_000, images / 12) + 0.05) * 0.5 * (1 + np.cos(np.pi * p)) + rate * 0.005
        for group in optimiser.param_groups:
            group["lr"] = lr
        pick = np.sort(rng.integers(0, pool_size, batch))
        x = torch.from_numpy(a["image"][pick]).to(device).permute(0, 3, 1, 2).float() / 255
        x, shift = spoil(x, g)
        x = x.contiguous(memory_format=torch.channels_last)
        label = torch.from_numpy(a["label"][pick].astype(np.int64)).to(device)
        kind = torch.from_numpy(a["kind"][pick].astype(np.int64)).to(device)
        net.train()
        corners = torch.from_numpy(a["corners"][pick]).to(device) + torch.tensor(shift, device=device).repeat(4) / CROP_W
        with half_precision(device):
            chars, plate_class, rows, frame = net(x)
        each = F.cross_entropy(chars.float().flatten(0, 1), label.flatten(), label_smoothing=0.02, ignore_index=crops.IGNORE, reduction="none")
        # most mistakes are provinces, and they stand in the first slot: it counts for more
        loss = (each.view(len(label), SLOTS) * slot_weight).mean() * 4
        if (kind[:, 0] >= 0).any():
            loss = loss + 0.3 * F.cross_entropy(plate_class.float(), kind[:, 0], ignore_index=UNKNOWN)
        if (kind[:, 1] >= 0).any():
            loss = loss + 0.2 * F.cross_entropy(rows.float(), kind[:, 1], ignore_index=UNKNOWN)
        framed = corners.isfinite().all(1)
        if framed.any():
            loss = loss + 12 * F.smooth_l1_loss(frame.float()[framed], corners[framed], beta=0.02)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(net)
        seen += batch
        losses.append(float(loss.detach()))
        for _ in range(refresh):
            pool.put(renew % pool_size, fresh.sample())
            renew += 1
        if seen - last >= every or progress() >= 1:
            figures = {n: exact(read_all(average.module, i), t) for n, i, t in sets}
            score = float(np.mean(list(figures.values())))
            spent = time.time() - start
            log.append({"seen": seen, "loss": float(np.mean(losses)), **figures})
            print(f"reader {seen} seen, {100 * progress():.0f} %, loss {np.mean(losses):.3f}, "
                  + ", ".join(f"{k} {v:.4f}" for k, v in figures.items())
                  + f", {(seen - last) / (time.time() - shown):.0f} img/s, lr {lr:.5f}", flush=True)
            shown, last, losses = time.time(), seen, []
            torch.save({"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                        "seen": seen, "best": max(best, score), "renew": renew, "log": log, "spent": spent, "before": before}, state_file)
            best = max(best, score)
            # held-out real crops are nearly all right early on, long before the rare kinds are learned:
            # the schedule ends at a rate of nothing, so the latest average is the one to keep
            torch.save({"net": average.module.state_dict(), "seen": seen, "before": before, "figures": figures}, folder / "best.pt")
    (folder / "log.json").write_text(json.dumps(log, indent=1))
