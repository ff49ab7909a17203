"""Measure the exported pair end to end, as the gate runs it, and lay out its mistakes."""

import collections
import json
import pathlib

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import calibrate
from .alphabet import ALPHABET, PROVINCES, decode, encode, same
from .data import load, read_set, split
from .decode import quad_iou
from .geometry import straighten
from .pair import Pair
from .train_reader import whole


def sheet(cases, path: pathlib.Path, fonts: pathlib.Path | None, columns: int = 8) -> None:
    """Crops or pictures (RGB, title) in a grid."""
    if not cases:
        return
    cw, ch = 260, 150
    page = Image.new("RGB", (columns * cw, -(-len(cases) // columns) * (ch + 18)), (40, 40, 40))
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default()
    from .drawing import CHINESE_FONT
    if fonts and (fonts / CHINESE_FONT).exists():
        font = ImageFont.truetype(str(fonts / CHINESE_FONT), 13)
    for i, (image, title) in enumerate(cases):
        x, y = (i % columns) * cw, (i // columns) * (ch + 18)
        k = min((cw - 4) / image.shape[1], ch / image.shape[0])
        size = (max(1, int(image.shape[1] * k)), max(1, int(image.shape[0] * k)))
        page.paste(Image.fromarray(np.ascontiguousarray(image)).resize(size), (x, y))
        pen.text((x + 2, y + ch), title, font=font, fill=(255, 255, 255))
    page.save(path)


def scene_case(image, reads, found, size=520):
    """A small picture with all frames found, the chosen one's crop in the corner."""
    k = size / max(image.shape[:2])
    view = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    for f in found:
        cv2.polylines(view, [np.round(f.quad * k).astype(int)], True, (255, 60, 60), 1, cv2.LINE_AA)
    if reads:
        cv2.polylines(view, [np.round(reads[0].quad * k).astype(int)], True, (60, 255, 60), 2, cv2.LINE_AA)
        crop = straighten(image, reads[0].quad)
        h, w = min(crop.shape[0], view.shape[0]), min(crop.shape[1], view.shape[1])
        view[:h, :w] = crop[:h, :w]
    return view


def confusions(pairs):
    """Most frequent (right character, read character) of equal-length texts."""
    count, province = collections.Counter(), collections.Counter()
    for want, got in pairs:
        if len(want) != len(got):
            continue
        for i, (a, b) in enumerate(zip(want.replace("O", "0"), got)):
            if a != b:
                (province if i == 0 and a in PROVINCES else count)[f"{a}>{b}"] += 1
    return {"characters": count.most_common(25), "provinces": province.most_common(25)}


def by_character(pairs):
    """Right and total per province and per other character, of texts that were read at their full length."""
    province, rest = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0])
    for want, got in pairs:
        if len(want) != len(got):
            continue
        for i, (a, b) in enumerate(zip(want.replace("O", "0"), got.replace("O", "0"))):
            count = province if i == 0 and a in PROVINCES else rest
            count[a][0] += a == b
            count[a][1] += 1
    return {"provinces": dict(province), "characters": dict(rest)}


def evaluate(models: pathlib.Path, data: pathlib.Path, work: pathlib.Path, fonts: pathlib.Path | None = None) -> dict:
    pair = Pair(models)
    out = work / "report"
    out.mkdir(parents=True, exist_ok=True)
    report: dict = {}
    confidence, right_all, pairs = [], [], []

    items = read_set(data, "eval/crops")
    pictures = [i.load() for i in items]
    images = np.stack([straighten(p, whole(p)) for p in pictures])
    once = pair.read_crops(images)[0]
    report["evalCropsReadOnce"] = float(np.mean([same(decode(c.argmax(1)), i.plate) for c, i in zip(once, items)]))
    parts = [pair.read(p, [whole(p)]) for p in pictures]
    chars, raw = np.concatenate([p[0] for p in parts]), np.concatenate([p[3] for p in parts])
    right = np.array([same(decode(c.argmax(1)), i.plate) for c, i in zip(chars, items)])
    report["evalCrops"] = float(right.mean())
    confidence += list(pair.calibrate(raw))
    right_all += list(right)
    pairs += [(i.plate, decode(c.argmax(1))) for c, i in zip(chars, items)]
    sheet([(images[n], f"{items[n].plate} {decode(chars[n].argmax(1))} {raw[n]:.2f}") for n in np.where(~right)[0][:80]],
          out / "crops-wrong.png", fonts)

    for name in ("ccpd", "street"):
        items = read_set(data, f"eval/{name}")
        good, province, located, read_right, cases, extra, by_class = [], [], [], [], [], 0, collections.defaultdict(list)
        straight = []
        for i in items:
            image = i.load()
            reads = pair.recognise(image)
            best = reads[0] if reads else None
            ok = bool(best and same(best.text, i.plate))
            good.append(ok)
            province.append(bool(best and best.text[:1] == i.plate[0]))
            located.append(max((quad_iou(r.quad, i.corners) for r in reads), default=0.0) if i.corners is not None else np.nan)
            if i.corners is not None:
                c = pair.read_crops(straighten(image, i.corners)[None])[0]
                straight.append(same(decode(c[0].argmax(1)), i.plate))
            by_class[i.plate_class or "unknown"].append(ok)
            extra += sum(1 for r in reads[1:] if r.confidence > 0.9 and r.valid)
            if best:
                confidence.append(best.confidence)
                right_all.append(ok)
                pairs.append((i.plate, best.text))
            if not ok:
                title = f"{i.path.stem} {i.plate} {best.text if best else '-'} {best.confidence if best else 0:.2f}"
                cases.append((scene_case(image, reads, pair.find(image, 0.1)), title))
        key = "evalCcpd" if name == "ccpd" else "evalStreet"
        report[key] = float(np.mean(good))
        report[key + "Province"] = float(np.mean(province))
        report[key + "ByClass"] = {k: [int(sum(v)), len(v)] for k, v in by_class.items()}
        known = [v for v in located if not np.isnan(v)]
        report[key + "Located"] = float(np.mean(np.array(known) > 0.7)) if known else None
        report[key + "WithCorners"] = len(known)
        report[key + "GivenCorners"] = float(np.mean(straight)) if straight else None
        report[key + "ExtraConfident"] = extra
        sheet(cases[:64], out / f"{name}-wrong.png", fonts, 6)

    report["drawn"] = drawn(pair, data, fonts, out)
    report["views"] = views(pair, data, fonts)
    backgrounds = split(read_set(data, "train/backgrounds"))[1]
    false, boxes, cases = 0, 0, []
    for i in backgrounds:
        image = load(i.path)
        found = pair.find(image)
        boxes += len(found)
        reads = [r for r in pair.recognise(image) if r.valid]
        false += any(r.confidence >= 0.9 for r in reads)
        if reads:
            cases.append((scene_case(image, reads, found), f"{reads[0].text} {reads[0].confidence:.2f}"))
    sheet(cases, out / "false-reads.png", fonts, 6)
    report["backgrounds"] = {"pictures": len(backgrounds), "boxes": boxes, "picturesWithAnyRead": len(cases), "picturesWithConfidentRead": false}
    confidence, right_all = np.array(confidence), np.array(right_all)
    report["calibrationOnEval"] = [list(r) for r in calibrate.table(confidence, right_all)]
    report["confusions"] = confusions(pairs)
    report["rightBy"] = by_character(pairs)
    report["ms"] = {k: float(np.median(v)) for k, v in pair.ms.items() if v}
    (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf8")
    for k, v in report.items():
        print(k, v, flush=True)
    return report


SWEEPS = {"yaw": (-45, -30, 0, 30, 45), "pitch": (-30, 0, 30), "roll": (-30, -15, 0, 15, 30), "width": (60, 90, 150, 300, 600)}


def views(pair: Pair, data: pathlib.Path, fonts, each: int = 20) -> dict:
    """Drawn plates of one and two rows in 1280x720 by what makes them hard: {"yaw": {"-45": [found, right, of], ...}}.

    Found means IoU over 0.7. Angles in degrees at 160 px, width in pixels seen straight on.
    """
    from . import augment
    from .drawing import Glyphs, draw_plate
    from .geometry import paste, view
    from .grammar import random_spec
    rng = np.random.default_rng(31)
    glyphs = Glyphs(data, fonts)
    backgrounds = split(read_set(data, "train/backgrounds"))[1]
    out: dict = {}
    for name, values in SWEEPS.items():
        out[name] = {}
        for value in values:
            found = right = 0
            for n in range(each):
                spec = random_spec(rng, ("blue", "green", "yellow-rear", "blue")[n % 4])
                scene = cv2.resize(load(backgrounds[int(rng.integers(len(backgrounds)))].path), (1280, 720)).astype(np.float32)
                width = value if name == "width" else 160
                angles = [value if name == a else rng.uniform(-5, 5) for a in ("yaw", "pitch", "roll")]
                quad = view(spec.size, *angles, 5.0) * width
                quad = (quad + rng.uniform([340, 220], [940, 500])).astype(np.float32)
                tone = tuple(float(v) for v in rng.uniform(20, 230, 3))
                lo, hi = quad.min(0) - width * 0.2, quad.max(0) + width * 0.15
                cv2.rectangle(scene, tuple(int(v) for v in lo), tuple(int(v) for v in hi), tone, -1)
                paste(scene, draw_plate(rng, glyphs, spec, max(0.7, width / 440), "file").astype(np.float32) * rng.uniform(0.6, 1.1), quad)
                image = augment.jpeg(rng, augment.to_uint8(augment.sensor(rng, scene, 3)), 60, 95)
                reads = pair.recognise(image)
                found += max((quad_iou(r.quad, quad) for r in reads), default=0.0) > 0.7
                right += any(same(r.text, spec.text) for r in reads)
            out[name][str(value)] = [found, right, each]
    return out


def drawn(pair: Pair, data: pathlib.Path, fonts, out: pathlib.Path, each: int = 16) -> dict:
    """Every kind of plate as our own simulation draws it, in a 1280x720 frame, end to end: right by kind."""
    from . import augment
    from .drawing import Glyphs, draw_plate
    from .geometry import paste, random_view
    from .grammar import KINDS, random_spec
    rng = np.random.default_rng(20)
    glyphs = Glyphs(data, fonts)
    backgrounds = split(read_set(data, "train/backgrounds"))[1]
    figures, cases = {}, []
    for kind in KINDS:
        good = []
        for n in range(each):
            spec = random_spec(rng, kind)
            simple = n % 2 == 0
            if simple:
                scene = np.empty((720, 1280, 3), np.float32)
                scene[:] = rng.uniform(60, 200, 3)
                scene[300:] *= 0.6
                tone = tuple(float(v) for v in rng.uniform(20, 230, 3))
            else:
                scene = cv2.resize(load(backgrounds[int(rng.integers(len(backgrounds)))].path), (1280, 720)).astype(np.float32)
                tone = tuple(float(v) for v in rng.uniform(20, 230, 3))
            width = rng.uniform(90, 300)
            at = rng.uniform([250, 200], [1030, 600])
            cv2.rectangle(scene, tuple(int(v) for v in at - width), tuple(int(v) for v in at + width * 0.8), tone, -1)
            view = random_view(rng, spec.size, 35, 20, 8) * width
            quad = (view + at).astype(np.float32)
            paste(scene, draw_plate(rng, glyphs, spec, 0.7, "demo" if simple else "file").astype(np.float32), quad)
            scene = augment.sensor(rng, scene * rng.uniform(0.6, 1.1), 3)
            image = augment.jpeg(rng, augment.to_uint8(scene), 60, 95)
            reads = pair.recognise(image)
            ok = bool(reads and same(reads[0].text, spec.text))
            good.append(ok)
            if not ok and len(cases) < 64:
                cases.append((scene_case(image, reads, pair.find(image, 0.1)), f"{spec.text} {reads[0].text if reads else '-'} {reads[0].confidence if reads else 0:.2f}"))
        figures[kind] = float(np.mean(good))
    sheet(cases, out / "drawn-wrong.png", fonts, 6)
    return figures
