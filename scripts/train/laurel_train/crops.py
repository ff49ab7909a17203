"""Training crops for the reader: real, real with other characters painted in, and drawn."""

import pathlib

import cv2
import numpy as np

from . import augment
from .alphabet import CLASS_INDEX, DIGITS, LETTERS, PROVINCES, SLOTS, UNKNOWN, encode
from .data import Item, read_set, split
from .drawing import GROUNDS, INKS, Glyphs, draw_plate
from .geometry import CROP_H, CROP_W, apply, crop_rectangle, grow, paste, random_view, rectangle, straighten
from .grammar import TAIL, one_row, random_spec
from .negatives import distraction

# What a pool is made of; see the ablation table of the model card.
MIX = {"patch": 0.13, "painted": 0.2, "painted-crop": 0.15, "crop": 0.15, "drawn-in-patch": 0.16, "drawn": 0.16, "nothing": 0.05}
# Share of crops whose frame cuts off an end or a rim of the plate, so that the reader learns to say where the rest is.
CUT = 0.05
# A label that teaches nothing: what is cut off cannot be read.
IGNORE = -100
# What readers take for each other (by the measured confusions) is written more often than it occurs.
HARD = "00DDQBBEEFFHNMJUTLZ278SGC"


class CropMaker:
    """Makes one labelled crop after another; deterministic for a seed."""

    def __init__(self, data: pathlib.Path, fonts: pathlib.Path | None, seed: int, mix: dict | None = None, without: tuple[str, ...] = ()):
        """`without`: ingredients, "weather", "cut", or "source:NAME" for a collection that is kept out (ablations)."""
        self.rng = np.random.default_rng(seed)
        self.weather = 0.0 if "weather" in without else 1.0
        self.cut = 0.0 if "cut" in without else CUT
        away = [w.removeprefix("source:") for w in without if w.startswith("source:")]
        self.glyphs = Glyphs(data, fonts)
        self.patches = self._load(split(read_set(data, "train/patches"))[0])
        self.crops = self._load([i for i in split(read_set(data, "train/crops"))[0] if i.source not in away])
        self.backgrounds = [i.load() for i in split(read_set(data, "train/backgrounds"))[0]]
        # provinces of real crops are far from even: draw by the square root of how rare they are
        count = {}
        for item, _ in self.crops:
            count[item.plate[0]] = count.get(item.plate[0], 0) + 1
        weights = np.array([count[i.plate[0]] ** -0.6 * (2.0 if i.plate_class in ("green", "yellow1") else 1.0) for i, _ in self.crops])
        self.crop_weights = np.cumsum(weights / weights.sum())
        rare = np.array([8.0 if i.plate[0] != "皖" else 1.0 for i, _ in self.patches])
        self.patch_weights = np.cumsum(rare / rare.sum())
        blue = [i.plate_class == "blue" and len(i.plate) == 7 for i, _ in self.crops]
        self.paintable_weights = np.cumsum(weights * blue / max((weights * blue).sum(), 1e-9))
        mix = {k: v for k, v in (mix or MIX).items() if k not in without}
        self.names = list(mix)
        self.shares = np.cumsum([mix[n] for n in self.names]) / sum(mix.values())

    @staticmethod
    def _load(items: list[Item]):
        out = []
        for i in items:
            try:
                encode(i.plate)
            except KeyError:
                continue
            out.append((i, i.load()))
        return out

    def make(self):
        """(crop uint8 48x128x3, labels[9], class or -1, rows or -1, corners[8] or NaN: see `corner_offsets`)."""
        name = self.names[int(np.searchsorted(self.shares, self.rng.random()))]
        return getattr(self, name.replace("-", "_"))()

    # --- ingredients ---

    def _patch(self):
        return self.patches[int(np.searchsorted(self.patch_weights, self.rng.random()))]

    def patch(self):
        item, image = self._patch()
        return self._finish(image, item.corners, item.plate, CLASS_INDEX.get(item.plate_class, UNKNOWN), 0, real=True)

    def painted(self):
        """A real plate with some or all characters replaced, sometimes in another colour."""
        rng = self.rng
        item, image = self._patch()
        flat = straighten(image, item.corners, 256, 96).astype(np.float32)
        plate, text, colour = paint(rng, self.glyphs, flat, item.plate)
        return self._finish(plate, crop_rectangle(2.0), text, CLASS_INDEX[colour], 0, real=True)

    def painted_crop(self):
        """As `painted`, on the crops of other collections: more cameras and more light than CCPD has."""
        rng = self.rng
        item, image = self.crops[int(np.searchsorted(self.paintable_weights, rng.random()))]
        h, w = image.shape[:2]
        mx, my = rng.uniform(0.0, 0.04) * w, rng.uniform(0.0, 0.09) * h
        quad = np.array([[mx, my], [w - mx, my], [w - mx, h - my], [mx, h - my]], np.float32)
        flat = straighten(image, quad, 256, 96).astype(np.float32)
        plate, text, colour = paint(rng, self.glyphs, flat, item.plate)
        return self._finish(plate, crop_rectangle(2.0), text, CLASS_INDEX[colour], 0, real=True, jitter=0.7, framed=False)

    def crop(self):
        item, image = self.crops[int(np.searchsorted(self.crop_weights, self.rng.random()))]
        h, w = image.shape[:2]
        c = CLASS_INDEX.get(item.plate_class, UNKNOWN)
        # how tightly such crops hold the plate varies: from a little inside to a little outside
        rng = self.rng
        mx, my = rng.uniform(-0.02, 0.07) * w, rng.uniform(-0.04, 0.16) * h
        quad = np.array([[mx, my], [w - mx, my], [w - mx, h - my], [mx, h - my]], np.float32)
        return self._finish(image, quad, item.plate, c, 0, real=True, jitter=0.5, framed=False)

    def drawn_in_patch(self):
        """A drawn plate in a real plate's place, with its light and sharpness."""
        rng = self.rng
        item, image = self._patch()
        spec = random_spec(rng)
        plate = draw_plate(rng, self.glyphs, spec, 0.5)
        scene, quad = replace_plate(rng, image, item.corners, plate, spec.size)
        return self._finish(scene, quad, spec.text, CLASS_INDEX[spec.plate_class], spec.rows - 1)

    def drawn(self):
        rng = self.rng
        spec = random_spec(rng)
        plate = draw_plate(rng, self.glyphs, spec, 0.5)
        view = random_view(rng, spec.size, 50, 35, 20)
        width = rng.uniform(60, 240)
        quad = view * width
        lo = quad.min(0) - width * 0.15
        quad = (quad - lo).astype(np.float32)
        w, h = np.ceil(quad.max(0) + width * 0.15).astype(int)
        scene = self.surroundings(int(w), int(h))
        paste(scene, plate, quad)
        return self._finish(scene, quad, spec.text, CLASS_INDEX[spec.plate_class], spec.rows - 1)

    def nothing(self):
        """A crop without a plate: road, car parts, signs, time stamps, pieces of plates."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.3:
            image = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            quad = _random_quad(rng, image)
        elif kind < 0.6:  # beside the plate, or only a part of it
            item, image = self._patch()
            m = grow(item.corners, 1, 1)
            w = np.linalg.norm(m[1] - m[0])
            h = np.linalg.norm(m[3] - m[0])
            if rng.random() < 0.5:
                d = np.array([0, h * rng.uniform(0.75, 1.3) * rng.choice([-1, 1])])
            else:
                d = np.array([w * rng.uniform(0.6, 1.0) * rng.choice([-1, 1]), 0])
            quad = m + d.astype(np.float32)
        else:
            image, quad = distraction(rng, self.glyphs, self.surroundings(200, 90))
        return self._finish(image, quad, "", UNKNOWN, UNKNOWN, framed=False)

    # --- helpers ---

    def surroundings(self, w: int, h: int) -> np.ndarray:
        rng = self.rng
        if rng.random() < 0.6:
            image = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            H, W = image.shape[:2]
            k = rng.uniform(0.3, 1)
            cw, ch = min(W, max(4, int(w * k))), min(H, max(4, int(h * k)))
            x, y = int(rng.integers(0, W - cw + 1)), int(rng.integers(0, H - ch + 1))
            return cv2.resize(image[y: y + ch, x: x + cw], (w, h)).astype(np.float32)
        c = rng.uniform(0, 255) + rng.normal(0, 20, 3)
        t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        out = np.broadcast_to(c + rng.normal(0, 40) * t, (h, w, 3)).astype(np.float32).copy()
        for _ in range(int(rng.integers(0, 4))):
            y = int(rng.integers(0, h))
            cv2.rectangle(out, (0, y), (w, y + int(rng.integers(1, 20))), tuple(float(v) for v in rng.uniform(0, 255, 3)), -1)
        return out

    def _finish(self, image, quad, text, plate_class, rows, real=False, jitter=1.0, framed=True):
        """Corner error, straightening, lens, light and compression; labels. `framed`: `quad` is where the plate truly is."""
        rng = self.rng
        true = quad = np.asarray(quad, np.float32)
        how = rng.random()
        if rows == 0 and how < (0.22 if real else 0.12):
            # cut by its upright box, as collections of crops are, and as a detector without corners would
            (x0, y0), (x1, y1) = quad.min(0), quad.max(0)
            m = grow(quad, 1, 1)
            slant = abs(m[1, 1] - m[0, 1]) / max(x1 - x0, 1)
            if slant < 0.28 and (y1 - y0) < 0.62 * (x1 - x0):
                quad = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
                jitter = jitter * 0.5
        elif rows >= 0 and how < 0.42:
            # framed askew: the plate lies slanted and sheared inside its frame
            quad = askew(rng, quad)
        side = np.linalg.norm(quad[1] - quad[0])
        up = np.linalg.norm(quad[3] - quad[0])
        # the detector's error: about 1.7 % of the width per corner at home, several times that on other cameras
        s = float(rng.choice([0.006, 0.015, 0.03, 0.05], p=[0.3, 0.33, 0.24, 0.13])) * jitter
        move = rng.normal(0, 1, (4, 2)) * [s * side, s * side * 0.8]
        whole = rng.normal(0, 1, (1, 2)) * [s * side * 0.7, s * side * 0.5]
        scale = 1 + rng.normal(0, 1.0, 2) * [s, s * 2]
        q = grow(quad, float(np.clip(scale[0], 0.9, 1.15)), float(np.clip(scale[1], 0.85, 1.25)))
        q = (q + (move + whole) * min(1.0, 3 * up / max(side, 1))).astype(np.float32)
        label = encode(text)
        if framed and rng.random() < self.cut:
            q, missing = cut_off(rng, q)
            if missing:
                label = [IGNORE] * SLOTS
        corners = corner_offsets(q, true) if framed else np.full(8, np.nan, np.float32)
        # what the sensor resolves: straighten to a smaller or the full size, then spoil, then enlarge
        k = float(np.exp(rng.uniform(np.log(0.38), np.log(1.25)))) if rng.random() < 0.75 else 1.0
        w, h = max(36, round(CROP_W * k)), max(14, round(CROP_H * k))
        x = straighten(image, q, w, h)
        if self.weather and rng.random() < 0.12:
            x = augment.bow(rng, x)
        x = augment.light(rng, x)
        x = augment.weather(rng, x, self.weather * (1.0 if real else 1.4))
        if rng.random() < (0.1 if real else 0.18):
            x = augment.retroreflection(rng, x) if self.weather and rng.random() < 0.4 else augment.infrared(rng, x)
            plate_class = UNKNOWN
        if rng.random() < 0.25:
            x = augment.motion_blur(rng, x, rng.uniform(1.5, 0.05 * w))
        if rng.random() < (0.35 if real else 0.6):
            x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.25, 1.5) * max(0.35, min(k, 1)))
        x = augment.sensor(rng, x, abs(rng.normal(0, 6)))
        x = augment.to_uint8(x)
        if rng.random() < 0.5:
            x = augment.jpeg(rng, x)
        if (w, h) != (CROP_W, CROP_H):
            x = cv2.resize(x, (CROP_W, CROP_H), interpolation=cv2.INTER_LINEAR if k < 1 else cv2.INTER_AREA)
        return x, label, plate_class, rows, corners


def cut_off(rng, quad: np.ndarray) -> tuple[np.ndarray, bool]:
    """A frame that ends inside the plate, at a side or at the rim above or below; and whether characters are missing."""
    a, b = np.array([[0, 0], [1, 1]], float)
    side = int(rng.integers(4))
    share = rng.uniform(0.03, 0.2 if side < 2 else 0.3)
    (a if side % 2 == 0 else b)[0 if side < 2 else 1] += share if side % 2 == 0 else -share
    inside = cv2.getPerspectiveTransform(rectangle(1, 1), np.asarray(quad, np.float32))
    # the margins of a plate are some 4 % of its width and 18 % of its height
    return apply(inside, np.array([a, [b[0], a[1]], b, [a[0], b[1]]], np.float32)), share > (0.05 if side < 2 else 0.2)


def corner_offsets(framed: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Where the plate's `true` corners fall in the crop cut by `framed`, less where the crop has its corners; shares of the width."""
    home = crop_rectangle()
    m = cv2.getPerspectiveTransform(np.asarray(framed, np.float32), home)
    return ((apply(m, true) - home) / CROP_W).astype(np.float32).reshape(8)


def askew(rng, quad: np.ndarray) -> np.ndarray:
    """A frame around `quad` in which the plate lies turned, sheared or in perspective."""
    w, h = CROP_W - 8.0, CROP_H - 8.0
    place = rectangle(w, h) - [w / 2, h / 2]
    turn, lean = np.radians(rng.normal(0, 6)), rng.normal(0, 0.16)
    place = place @ np.array([[1, 0], [lean, 1]]) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    place = place + rng.normal(0, 1.5, (4, 2))
    size = np.ptp(place, axis=0)
    place = (place - place.min(0)) * (np.array([w, h]) / size if rng.random() < 0.8 else min(w / size[0], h / size[1]))
    back = cv2.getPerspectiveTransform(place.astype(np.float32), np.asarray(quad, np.float32))
    return apply(back, rectangle(w, h))


def _random_quad(rng, image):
    h, w = image.shape[:2]
    view = random_view(rng, (440, 140)) * rng.uniform(40, 250)
    return (view + rng.uniform([w * 0.1, h * 0.1], [w * 0.9, h * 0.9])).astype(np.float32)


# --- painting inside real plates ---

def _levels(flat: np.ndarray):
    """Luminance, its ground and ink levels, and the soft writing mask of a straightened blue plate."""
    y = flat @ np.array([0.299, 0.587, 0.114], np.float32)
    inner = y[16:-16, 14:-14]
    low, high = np.percentile(inner, 25), np.percentile(inner, 92)
    return y, low, max(high, low + 8)


def paint(rng, glyphs: Glyphs, flat: np.ndarray, text: str):
    """Replace characters of a straightened (256x96) real blue one-row plate; maybe recolour it.

    Returns (picture, text, class name). The new strokes take the plate's own ink, ground and blur.
    """
    h, w = flat.shape[:2]
    y, low, high = _levels(flat)
    t = np.clip((y - low) / (high - low), 0, 1)
    ground = flat[t < 0.25].mean(0) if (t < 0.25).sum() > 50 else flat.mean(0)
    ink = flat[t > 0.85].mean(0) if (t > 0.85).sum() > 50 else flat.max((0, 1))
    # the ground's own light: heavily smoothed picture of the ground pixels alone
    m = (t < 0.35).astype(np.float32)
    num = cv2.blur(cv2.blur(flat * m[:, :, None], (19, 19)), (11, 11))
    den = cv2.blur(cv2.blur(m, (19, 19)), (11, 11))[:, :, None]
    clean = (num + ground * 0.02) / (den + 0.02)
    edge = cv2.Laplacian(cv2.GaussianBlur(y, (3, 3), 0), cv2.CV_32F)
    sharp = float(np.abs(edge).mean()) / max(high - low, 1)
    sigma = float(np.clip(0.085 / max(sharp, 0.01), 0.5, 2.2)) * rng.uniform(0.6, 1.15)
    _, cells, _ = one_row(text)
    new = list(text)
    how = rng.random()
    if how < 0.55:
        where = [0]
    elif how < 0.75:
        where = [0] + [int(i) for i in rng.choice(range(1, 7), int(rng.integers(1, 4)), replace=False)]
    else:
        where = list(range(7))
    special = None
    if rng.random() < 0.12:
        special = str(rng.choice(list("学警挂港澳领"), p=[0.4, 0.3, 0.1, 0.07, 0.05, 0.08]))
        if 6 not in where:
            where.append(6)
    out = flat.copy()
    style = "file" if rng.random() < 0.85 else str(rng.choice(glyphs.styles))
    residual = flat - cv2.blur(flat, (5, 5))
    quiet = residual * m[:, :, None]
    sx, sy = (w - 16) / 440, (h - 16) / 140
    mask_all = np.zeros((h, w), np.float32)
    ox, oy = rng.normal(0, 1.0, 2)
    for i in where:
        _, cx, cy, cw, ch, _ = cells[i]
        c = new[i]
        if i == 0:
            c = PROVINCES[int(rng.integers(len(PROVINCES)))]
        elif i == 6 and special:
            c = special
        elif i == 1:
            c = LETTERS[int(rng.integers(len(LETTERS)))]
        else:
            what = rng.random()
            letters = HARD if what < 0.2 else TAIL if what < 0.6 else DIGITS
            c = letters[int(rng.integers(len(letters)))]
        new[i] = c
        x0, x1 = 8 + (cx - 4) * sx, 8 + (cx + cw + 4) * sx
        y0, y1 = 8 + (cy - 6) * sy, 8 + (cy + ch + 6) * sy
        x0, x1, y0, y1 = max(0, int(x0)), min(w, int(np.ceil(x1))), max(0, int(y0)), min(h, int(np.ceil(y1)))
        # cover the old character, feathered at the edges
        out[y0:y1, x0:x1] = clean[y0:y1, x0:x1] + quiet[y0:y1, x0:x1] * 0.7
        gw, gh = max(3, round(cw * sx * rng.uniform(0.94, 1.06))), max(5, round(ch * sy * rng.uniform(0.95, 1.05)))
        g = glyphs.real_mask(rng, c, gw, gh) if i == 0 and rng.random() < 0.5 else None
        if g is None:
            g = glyphs.mask(c, style, "140", gw, gh)
        px = round(8 + (cx + cw / 2) * sx + ox - gw / 2 + rng.normal(0, 0.4))
        py = round(8 + (cy + ch / 2) * sy + oy - gh / 2 + rng.normal(0, 0.4))
        px, py = int(np.clip(px, 0, w - gw)), int(np.clip(py, 0, h - gh))
        np.maximum(mask_all[py: py + gh, px: px + gw], g.astype(np.float32) / 255, out=mask_all[py: py + gh, px: px + gw])
    mask_all = cv2.GaussianBlur(mask_all, (0, 0), sigma)[:, :, None]
    local_ink = clean * (ink / np.maximum(ground, 4)) if rng.random() < 0.3 else ink
    out += (np.clip(local_ink, 0, 255) - out) * mask_all * rng.uniform(0.8, 1.0)
    colour = "blue"
    want = rng.random()
    if special in ("学", "挂"):
        want = 0.05
    elif special == "警":
        want = 0.2
    elif special:
        want = 0.33
    if want < 0.35:
        colour = "yellow" if want < 0.15 else "white" if want < 0.28 else "black"
        out = recolour(rng, out, low, high, colour, special, cells, sx, sy)
    return out, "".join(new), colour


def recolour(rng, flat, low, high, colour, special, cells, sx, sy):
    """The same plate with another class's ground and ink, keeping light, blur and noise."""
    h, w = flat.shape[:2]
    y = flat @ np.array([0.299, 0.587, 0.114], np.float32)
    t = np.clip((y - low) / (high - low), -0.3, 1.3)[:, :, None]
    base = np.asarray(GROUNDS[colour][int(rng.integers(len(GROUNDS[colour])))], np.float32) + rng.normal(0, 10, 3)
    ink = np.asarray(INKS[colour], np.float32) + rng.normal(0, 8, 3)
    inks = np.empty((h, w, 3), np.float32)
    inks[:] = ink
    if special in ("警", "领"):
        _, cx, _, cw, _, _ = cells[6]
        inks[:, int(8 + (cx - 6) * sx):] = (200, 30, 35)
    bright = rng.uniform(0.45, 1.05) * np.clip(cv2.blur(y, (49, 49))[:, :, None] / max(float(y.mean()), 1), 0.5, 1.6)
    new = (base * (1 - t) + inks * t) * bright
    inside = np.zeros((h, w), np.float32)
    inside[8:-8, 8:-8] = 1
    inside = cv2.GaussianBlur(inside, (0, 0), 1.2)[:, :, None]
    return np.clip(flat + (new - flat) * inside, 0, 255)


def replace_plate(rng, image, corners, plate: np.ndarray, size):
    """A drawn plate over a real one, in its light and sharpness; returns (picture float32, quad)."""
    scene = image.astype(np.float32)
    quad = np.asarray(corners, np.float32)
    # the drawn plate must cover the real one whatever its shape
    aspect = size[0] / size[1]
    fx, fy = (1.04, 1.06)
    if aspect < 3.0:
        fy = fx * (440 / 140) / aspect
    else:
        fx = fy * aspect / (440 / 140)
    quad = grow(quad, fx, fy)
    flat = straighten(image, corners, 64, 24).astype(np.float32)
    y = flat @ np.array([0.299, 0.587, 0.114], np.float32)
    lightmap = cv2.GaussianBlur(y, (0, 0), 6)
    level = float(np.clip(lightmap.mean() / 105, 0.25, 1.5)) * rng.uniform(0.8, 1.25)
    lightmap = np.clip(lightmap / max(lightmap.mean(), 1), 0.5, 1.8) * level
    cast = np.clip(scene.mean((0, 1)) / max(float(scene.mean()), 1), 0.7, 1.4)
    lit = plate.astype(np.float32) * cv2.resize(lightmap, (plate.shape[1], plate.shape[0]))[:, :, None] * (0.5 + 0.5 * cast)
    blur = rng.uniform(0.0, 2.0)
    if blur > 0.3:
        lit = cv2.GaussianBlur(lit, (0, 0), blur)
    paste(scene, np.clip(lit, 0, 255), quad)
    return scene, quad
