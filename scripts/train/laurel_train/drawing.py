"""Draw plates: glyph shapes from files and fonts, inks and grounds, screws, frames, wear."""

import io
import pathlib
import tarfile

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .grammar import Spec

CHINESE_FONT = "@fontsource/noto-sans-sc/files/noto-sans-sc-chinese-simplified-700-normal.woff"
LATIN_FONT = "@fontsource/barlow-condensed/files/barlow-condensed-latin-600-normal.woff"
SYSTEM_FONTS = [  # optional variety; left out where a machine has none of them
    "/usr/share/fonts/truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
]


def _tight(mask: np.ndarray) -> np.ndarray:
    ys, xs = np.where(mask > 60)
    return mask[ys.min(): ys.max() + 1, xs.min(): xs.max() + 1] if len(ys) else mask


def _writing(gray: np.ndarray) -> np.ndarray | None:
    """Alpha of a character cut from a photograph, bright on dark: its ground taken away, its strokes made full; None
    where there is too little between the two to tell them apart."""
    low, high = np.percentile(gray, 35), np.percentile(gray, 96)
    if high - low < 45:
        return None
    t = np.clip((gray.astype(np.float32) - low) / (high - low) * 1.25 - 0.2, 0, 1)
    return (255 * t).astype(np.uint8)


class Glyphs:
    """Character shapes as tight alpha masks, resized copies cached by size."""

    def __init__(self, data: pathlib.Path, fonts: pathlib.Path | None):
        self.files: dict[tuple[str, str], np.ndarray] = {}
        for path in sorted((data / "glyphs/font_model").glob("*.jpg")):
            face, *mid, char = path.stem.split("_")
            mask = 255 - np.asarray(Image.open(path).convert("L"))
            self.files[("220up" if mid == ["up"] else face, char)] = mask
        self.real: dict[str, list[np.ndarray]] = {}
        tar = data / "train/province-characters.tar"
        if tar.exists():
            with tarfile.open(tar) as archive:
                for m in sorted(archive.getmembers(), key=lambda m: m.name):
                    if m.isfile() and m.name.endswith(".png"):
                        char = chr(int(pathlib.Path(m.name).parent.name, 16))
                        mask = _writing(np.asarray(Image.open(io.BytesIO(archive.extractfile(m).read())).convert("L")))
                        if mask is not None:
                            self.real.setdefault(char, []).append(mask)
        self.fonts: dict[str, ImageFont.FreeTypeFont] = {}
        if fonts and (fonts / CHINESE_FONT).exists():
            self.fonts["cjk"] = ImageFont.truetype(str(fonts / CHINESE_FONT), 160)
            self.fonts["demo"] = ImageFont.truetype(str(fonts / LATIN_FONT), 200)
        for i, f in enumerate(SYSTEM_FONTS):
            if pathlib.Path(f).exists():
                self.fonts[f"system{i}"] = ImageFont.truetype(f, 160)
        self.cache: dict = {}
        self.raw: dict = {}
        self.styles = ["file"] + (["demo"] if "demo" in self.fonts else []) + [k for k in self.fonts if k.startswith("system")]

    def _font_mask(self, font, char):
        hit = self.raw.get((id(font), char))
        if hit is None:
            hit = self.raw[(id(font), char)] = self._render(font, char)
        return hit

    @staticmethod
    def _render(font, char):
        box = font.getbbox(char)
        image = Image.new("L", (max(1, box[2] + 8), max(1, box[3] + 8)), 0)
        ImageDraw.Draw(image).text((0, 0), char, fill=255, font=font)
        return _tight(np.asarray(image))

    def mask(self, char: str, style: str, face: str, w: int, h: int) -> np.ndarray:
        """Alpha 0..255 of `char` filling w x h (narrow characters keep their width, centred)."""
        key = (char, style, face, w, h)
        hit = self.cache.get(key)
        if hit is not None:
            return hit
        chinese = ord(char) > 255
        src = None
        if style == "file":
            drawn = "0" if char == "O" else char
            for f in (face, "140", "220", "green", "220up"):
                src = self.files.get((f, drawn))
                if src is not None:
                    break
        if src is None:
            font = self.fonts.get("cjk" if chinese else "demo" if style == "stretched" else style) or self.fonts.get("demo")
            if font is None:
                raise KeyError(f"no glyph for {char}: give a fonts folder")
            raw = self._font_mask(font, char)
            if not chinese and (style != "stretched" or char == "1"):
                ref = self._font_mask(font, "H")
                slot = np.zeros((raw.shape[0], max(raw.shape[1], int(ref.shape[1] * 1.05))), np.uint8)
                x = (slot.shape[1] - raw.shape[1]) // 2
                slot[:, x: x + raw.shape[1]] = raw
                raw = slot
            src = raw
        out = cv2.resize(src, (max(1, w), max(1, h)), interpolation=cv2.INTER_AREA)
        if len(self.cache) > 60000:
            self.cache.clear()
        self.cache[key] = out
        return out

    def real_mask(self, rng, char: str, w: int, h: int):
        """A province character cut from a real plate, or None."""
        pool = self.real.get(char)
        if not pool:
            return None
        m = pool[int(rng.integers(len(pool)))]
        return cv2.resize(m, (max(1, w), max(1, h)), interpolation=cv2.INTER_LINEAR)


def _colour(rng, base, spread):
    return np.clip(np.asarray(base, np.float32) + rng.normal(0, spread, 3), 0, 255)


GROUNDS = {
    "blue": [(10, 60, 165), (20, 80, 190), (0, 30, 125), (35, 95, 180), (25, 70, 140)],
    "yellow": [(250, 190, 10), (230, 170, 30), (245, 205, 60), (205, 150, 20), (255, 184, 0)],
    "white": [(240, 240, 240), (225, 228, 232), (250, 250, 245)],
    "black": [(15, 15, 18), (30, 30, 32), (5, 5, 5), (40, 38, 40)],
}
INKS = {"blue": (245, 245, 245), "yellow": (20, 18, 15), "green": (15, 20, 15), "white": (20, 20, 20), "black": (240, 240, 240)}


def ground(rng, spec: Spec, w: int, h: int, demo: bool) -> np.ndarray:
    """The plate's face without writing, h x w x 3 float."""
    if spec.plate_class == "green":
        if spec.kind == "green-large":
            out = np.empty((h, w, 3), np.float32)
            out[:] = _colour(rng, (60, 200, 120), 14)
            cut = int(w * rng.uniform(0.27, 0.33))
            out[:, :cut] = _colour(rng, (250, 185, 20), 12)
        else:
            top = _colour(rng, (235, 245, 240) if rng.random() < 0.6 else (190, 235, 210), 8)
            bottom = _colour(rng, (70, 200, 120) if rng.random() < 0.6 else (30, 180, 95), 16)
            t = np.clip(np.linspace(-rng.uniform(0, 0.5), 1 + rng.uniform(0, 0.3), h), 0, 1)[:, None, None]
            out = np.broadcast_to(top * (1 - t) + bottom * t, (h, w, 3)).astype(np.float32).copy()
    else:
        bases = GROUNDS[spec.plate_class]
        c = _colour(rng, bases[int(rng.integers(len(bases)))], 6 if demo else 12)
        out = np.empty((h, w, 3), np.float32)
        out[:] = c
        if rng.random() < 0.4:
            out *= np.linspace(rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15), h, dtype=np.float32)[:, None, None]
    return out


def draw_plate(rng, glyphs: Glyphs, spec: Spec, ppm: float = 0.5, style: str | None = None) -> np.ndarray:
    """The plate as RGB uint8, `ppm` pixels to the millimetre, filling the picture to its edge."""
    style = style or str(rng.choice(["file", "demo", "system"], p=[0.64, 0.3, 0.06]))
    if style == "system":
        names = [s for s in glyphs.styles if s.startswith("system")]
        style = str(rng.choice(names)) if names else "file"
    if style not in glyphs.styles:
        style = "file"
    demo = style == "demo"
    if demo and rng.random() < 0.5:  # every character fills its place, as stamps do
        style = "stretched"
    w, h = round(spec.size[0] * ppm), round(spec.size[1] * ppm)
    out = ground(rng, spec, w, h, demo)
    ink = _colour(rng, INKS[spec.plate_class], 8)
    red = _colour(rng, (205, 25, 30), 14)
    text = np.zeros((h, w), np.uint8)
    reds = np.zeros((h, w), np.uint8)
    bold = int(rng.integers(-1, 2)) if not demo and rng.random() < 0.4 else 0
    dx, dy = rng.normal(0, 1.2, 2)
    grow = rng.uniform(0.94, 1.05)
    for char, x, y, cw, ch, which in spec.cells:
        cx, cy = (x + cw / 2 + dx + rng.normal(0, 0.5)) * ppm, (y + ch / 2 + dy + rng.normal(0, 0.5)) * ppm
        gw, gh = cw * grow * ppm, ch * grow * ppm
        if style == "demo" and ord(char) > 255 and rng.random() < 0.7:
            gw = gh = max(gw, gh * rng.uniform(0.5, 0.72))  # a font keeps the character's own proportions
            gw = min(gw, cw * 1.15 * ppm)
        if style == "demo" and ord(char) < 256:
            gw *= rng.uniform(0.75, 1.0)
            gh *= rng.uniform(0.8, 1.0)
        gw, gh = max(2, round(gw)), max(2, round(gh))
        face = spec.face
        if face == "220" and ch < 80:
            face = "220up"
        m = None
        if style == "file" and rng.random() < 0.35:
            m = glyphs.real_mask(rng, char, gw, gh)
        if m is None:
            m = glyphs.mask(char, style, face, gw, gh)
        if bold:
            m = cv2.dilate(m, np.ones((2, 2), np.uint8)) if bold > 0 else cv2.erode(m, np.ones((2, 2), np.uint8))
        x0, y0 = round(cx - gw / 2), round(cy - gh / 2)
        x1, y1 = min(w, x0 + gw), min(h, y0 + gh)
        sx, sy = max(0, -x0), max(0, -y0)
        x0, y0 = max(0, x0), max(0, y0)
        if x1 <= x0 or y1 <= y0:
            continue
        target = reds if which == "red" else text
        np.maximum(target[y0:y1, x0:x1], m[sy: sy + y1 - y0, sx: sx + x1 - x0], out=target[y0:y1, x0:x1])
    if spec.dot and rng.random() < 0.85:
        cv2.circle(text, (round(spec.dot[0] * ppm), round(spec.dot[1] * ppm)), max(1, round(5 * ppm)), 255, -1, cv2.LINE_AA)
    border = spec.plate_class != "green" or rng.random() < 0.5
    if border and rng.random() < 0.85:
        inset, t = rng.uniform(1.5, 6) * ppm, max(1, round(rng.uniform(1.5, 4) * ppm))
        cv2.rectangle(text, (round(inset), round(inset)), (round(w - 1 - inset), round(h - 1 - inset)), 255, t, cv2.LINE_AA)
    a = text.astype(np.float32)[:, :, None] * (rng.uniform(0.85, 1.0) / 255)
    out += (ink - out) * a
    if reds.any():
        a = reds.astype(np.float32)[:, :, None] * (rng.uniform(0.85, 1.0) / 255)
        out += (red - out) * a
    if rng.random() < 0.5:
        _screws(rng, out, spec, ppm)
    if rng.random() < 0.12:
        _frame(rng, out)
    if rng.random() < 0.12:
        _dirt(rng, out)
    return np.clip(out, 0, 255).astype(np.uint8)


def _screws(rng, out, spec, ppm):
    h, w = out.shape[:2]
    tone = tuple(float(v) for v in _colour(rng, [(200, 200, 200), (90, 90, 90), (230, 220, 190)][int(rng.integers(3))], 20))
    for fx in (0.25, 0.75):
        for fy in ((10 / spec.size[1], 1 - 10 / spec.size[1]) if rng.random() < 0.7 else (10 / spec.size[1],)):
            c = (round(w * (fx + rng.normal(0, 0.01))), round(h * fy))
            cv2.circle(out, c, max(1, round(rng.uniform(3, 7) * ppm)), tone, -1, cv2.LINE_AA)


def _frame(rng, out):
    """A plate holder over the edge, sometimes with small writing below."""
    h, w = out.shape[:2]
    tone = _colour(rng, (30, 30, 30) if rng.random() < 0.7 else (190, 190, 195), 12)
    t = max(1, round(h * rng.uniform(0.02, 0.07)))
    out[:t], out[-t:], out[:, :t], out[:, -t:] = tone, tone, tone, tone


def _dirt(rng, out):
    h, w = out.shape[:2]
    tone = _colour(rng, (105, 90, 70), 20)
    field = cv2.resize(rng.random((int(rng.integers(3, 9)), int(rng.integers(4, 14)))).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    a = np.clip((field - rng.uniform(0.5, 0.8)) * 2, 0, rng.uniform(0.3, 0.8))[:, :, None]
    out += (tone - out) * a
