"""What is taken for a plate and is none: signs, time stamps, badges, telephones, other countries' plates."""

import cv2
import numpy as np

from .alphabet import DIGITS, LETTERS, PROVINCES
from .drawing import Glyphs
from .geometry import paste, random_view, rectangle
from .grammar import TAIL


def distraction(rng, glyphs: Glyphs, scene: np.ndarray):
    """Put one of them into `scene` (float32, changed in place); returns (scene, its quad)."""
    kind = rng.random()
    if kind < 0.5:
        return sign(rng, glyphs, scene)
    if kind < 0.68:
        return badge(rng, glyphs, scene)
    if kind < 0.88:
        return foreign_plate(rng, glyphs, scene)
    return telephone(rng, glyphs, scene)


def _put(rng, scene: np.ndarray, picture: np.ndarray):
    """Over most of the scene, seen a little from the side."""
    h, w = scene.shape[:2]
    ph, pw = picture.shape[:2]
    quad = random_view(rng, (pw, ph), 35, 25, 10)
    k = min(w / max(np.ptp(quad[:, 0]), 0.1), h / max(np.ptp(quad[:, 1]), 0.1)) * rng.uniform(0.45, 0.95)
    quad = quad * k
    lo, hi = quad.min(0), quad.max(0)
    quad = (quad - lo + rng.uniform(0, 1, 2) * np.maximum([w, h] - (hi - lo), 0)).astype(np.float32)
    paste(scene, picture, quad)
    return scene, quad


def badge(rng, glyphs: Glyphs, scene: np.ndarray):
    """Chrome on a grille: rings side by side, an oval, a shield, a word in spaced letters."""
    w, h = int(rng.integers(110, 200)), int(rng.integers(36, 64))
    box = np.empty((h, w, 3), np.float32)
    box[:] = rng.uniform(5, 120) + rng.normal(0, 8, 3)
    for y in range(0, h, int(rng.integers(5, 12))):  # the grille's bars
        cv2.line(box, (0, y), (w, y), (float(rng.uniform(0, 160)),) * 3, int(rng.integers(1, 3)))
    tone = tuple(float(v) for v in rng.uniform(150, 255) + rng.normal(0, 6, 3))
    kind = rng.random()
    if kind < 0.45:
        n, r = int(rng.integers(2, 5)), int(h * rng.uniform(0.25, 0.42))
        step = r * rng.uniform(1.3, 2.1)
        for i in range(n):
            cv2.circle(box, (int(w / 2 + (i - (n - 1) / 2) * step), h // 2), r, tone, int(rng.integers(2, 6)), cv2.LINE_AA)
    elif kind < 0.65:
        cv2.ellipse(box, (w // 2, h // 2), (int(w * rng.uniform(0.15, 0.4)), int(h * 0.4)), 0, 0, 360, tone, int(rng.integers(2, 6)), cv2.LINE_AA)
        cv2.line(box, (int(w * 0.35), h // 2), (int(w * 0.65), h // 2), tone, int(rng.integers(1, 6)), cv2.LINE_AA)
    else:
        text = "".join(str(rng.choice(list(LETTERS))) for _ in range(int(rng.integers(3, 8))))
        _write(rng, glyphs, box, text, tone, 0.08 * w, 0.25 * h, 0.84 * w, 0.5 * h, 0.62)
    return _put(rng, scene, box)


def _write(rng, glyphs, box, text, ink, x, y, width, height, fill=0.85):
    """`text` over the given part of `box`, every character as wide as the next."""
    step = width / max(len(text), 1)
    style = "demo" if "demo" in glyphs.styles else "file"
    for i, c in enumerate(text):
        if c in " -·":
            continue
        gw, gh = max(2, round(step * fill)), max(3, round(height))
        try:
            m = glyphs.mask(c, style, "140", gw, gh)
        except KeyError:
            continue
        x0, y0 = round(x + i * step), round(y)
        region = box[y0: y0 + gh, x0: x0 + gw]
        a = m[: region.shape[0], : region.shape[1]].astype(np.float32)[:, :, None] / 255
        region += (np.asarray(ink, np.float32) - region) * a


def foreign_plate(rng, glyphs: Glyphs, scene: np.ndarray):
    """Europe 520x110 with its blue band, North America 305x152, Japan 330x165 in two rows, Korea 520x110."""
    def pick(letters, n):
        return "".join(letters[int(i)] for i in rng.integers(0, len(letters), n))

    kind = rng.random()
    ink, ground = (15.0, 15.0, 20.0), np.array([(240, 240, 240), (235, 190, 40), (245, 245, 235)][int(rng.integers(3))], np.float32)
    if kind < 0.45:
        box = np.empty((55, 260, 3), np.float32)
        box[:] = ground
        band = 24 if rng.random() < 0.8 else 0
        box[:, :band] = (25, 60, 160)
        text = [pick(LETTERS, 2) + "-" + pick(DIGITS, 3) + "-" + pick(LETTERS, 2), pick(LETTERS, 2) + " " + pick(LETTERS, 2) + " " + pick(DIGITS, 4),
                pick(LETTERS, 2) + pick(DIGITS, 2) + " " + pick(LETTERS, 3), pick(DIGITS, 4) + " " + pick(LETTERS, 3)][int(rng.integers(4))]
        _write(rng, glyphs, box, text, ink, band + 6, 9, 246 - band, 37)
    elif kind < 0.65:
        box = np.empty((76, 152, 3), np.float32)
        box[:] = ground if rng.random() < 0.6 else rng.uniform(120, 255, 3)
        _write(rng, glyphs, box, pick(LETTERS, int(rng.integers(4, 9))), rng.uniform(0, 140, 3), 30, 5, 92, 11)
        _write(rng, glyphs, box, pick(TAIL, 3) + " " + pick(TAIL, int(rng.integers(3, 5))), rng.uniform(0, 110, 3), 8, 24, 136, 40)
    elif kind < 0.85:
        box = np.empty((82, 165, 3), np.float32)
        box[:] = (245, 245, 240) if rng.random() < 0.6 else (240, 200, 40)
        tone = (10.0, 80.0, 50.0) if rng.random() < 0.6 else ink
        _write(rng, glyphs, box, str(rng.choice(["品川", "横浜", "大阪", "京都", "名古屋"])) + pick(DIGITS, 3), tone, 32, 7, 100, 20)
        _write(rng, glyphs, box, pick(DIGITS, 2) + "-" + pick(DIGITS, 2), tone, 28, 33, 130, 42)
    else:
        box = np.empty((55, 260, 3), np.float32)
        box[:] = ground
        _write(rng, glyphs, box, pick(DIGITS, 3) + str(rng.choice(list("가나다라마"))) + pick(DIGITS, 4), ink, 10, 8, 240, 39)
    if rng.random() < 0.6:
        cv2.rectangle(box, (2, 2), (box.shape[1] - 3, box.shape[0] - 3), ink, 1, cv2.LINE_AA)
    return _put(rng, scene, box)


def telephone(rng, glyphs: Glyphs, scene: np.ndarray):
    """A telephone or a screen held up: a dark rim around a bright picture with a line of writing."""
    w, h = int(rng.integers(120, 220)), int(rng.integers(60, 110))
    box = np.empty((h, w, 3), np.float32)
    box[:] = rng.uniform(5, 50)
    rim = int(rng.integers(3, 9))
    top, bottom = rng.uniform(40, 255, 3), rng.uniform(40, 255, 3)
    t = np.linspace(0, 1, h - 2 * rim, dtype=np.float32)[:, None, None]
    box[rim: h - rim, 2 * rim: w - 2 * rim] = top * (1 - t) + bottom * t
    text = "".join(str(rng.choice(list(LETTERS + DIGITS))) for _ in range(int(rng.integers(3, 12))))
    if rng.random() < 0.6:
        _write(rng, glyphs, box, text, rng.uniform(0, 255, 3), 0.15 * w, rng.uniform(0.15, 0.6) * h, 0.7 * w, rng.uniform(0.08, 0.25) * h)
    return _put(rng, scene, box)


def sign(rng, glyphs: Glyphs, scene: np.ndarray):
    """Writing that is no plate: shop signs, time stamps, stickers, telephone numbers, foreign plates."""
    h, w = scene.shape[:2]
    kind = rng.random()
    style = "demo" if "demo" in glyphs.styles and rng.random() < 0.6 else "file"
    chinese = PROVINCES + "警学挂港澳使领应急"
    if kind < 0.35:
        text = f"20{rng.integers(10, 30)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
        if rng.random() < 0.5:
            text = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}:{rng.integers(0, 60):02d}"
    elif kind < 0.6:
        text = "".join(str(rng.choice(list(TAIL))) for _ in range(int(rng.integers(1, 7))))
    elif kind < 0.8:
        text = "".join(str(rng.choice(list(chinese))) for _ in range(int(rng.integers(1, 6))))
    else:
        text = str(rng.choice(["A", "AB", "EU", "D", "NO", "P", "TAXI", "STOP", "EXIT"])) + " " + "".join(
            str(rng.choice(list(DIGITS))) for _ in range(int(rng.integers(2, 5))))
    size = int(rng.integers(14, 44))
    pad = int(rng.integers(2, 16))
    n = len(text)
    gw = max(4, round(size * rng.uniform(0.45, 0.9)))
    box = np.empty((size + 2 * pad, n * (gw + 3) + 2 * pad, 3), np.float32)
    back, ink = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    if rng.random() < 0.35:
        back, ink = np.array([[(20, 70, 170), (240, 200, 30), (245, 245, 245), (20, 20, 20)][int(rng.integers(4))]], float)[0], (
            np.array([245.0] * 3) if rng.random() < 0.5 else np.array([15.0] * 3))
    box[:] = back
    for i, c in enumerate(text):
        if c in "-: .":
            m = np.zeros((size, gw), np.uint8)
            if c == "-":
                m[size // 2 - 1: size // 2 + 1, 2:-2] = 255
            elif c == ":":
                m[size // 4: size // 4 + 3, gw // 2: gw // 2 + 2] = 255
                m[3 * size // 4: 3 * size // 4 + 3, gw // 2: gw // 2 + 2] = 255
        else:
            try:
                m = glyphs.mask(c, style, "140", gw, size)
            except KeyError:
                continue
        x = pad + i * (gw + 3)
        a = m.astype(np.float32)[:, :, None] / 255
        region = box[pad: pad + size, x: x + gw]
        region += (ink - region) * a[:, : region.shape[1]]
    bh, bw = box.shape[:2]
    if rng.random() < 0.3:  # writing without a board
        y, x = max(0, (h - bh) // 2), max(0, (w - bw) // 2)
        cut = box[: h - y, : w - x]
        a = (np.abs(cut - back).sum(2, keepdims=True) > 60).astype(np.float32)
        scene[y: y + cut.shape[0], x: x + cut.shape[1]] += (cut - scene[y: y + cut.shape[0], x: x + cut.shape[1]]) * a
        quad = rectangle(bw, bh) + [x, y]
    else:
        k = min(1.0, w / bw, h / bh) * rng.uniform(0.5, 1.0)
        x, y = rng.uniform(0, w - bw * k), rng.uniform(0, h - bh * k)
        quad = rectangle(bw * k, bh * k) + [x, y] + rng.normal(0, 2, (4, 2))
        paste(scene, box, quad.astype(np.float32))
    return scene, (quad + rng.normal(0, 3, (4, 2))).astype(np.float32)
