"""Training pictures for the detector: real scenes with real and drawn plates, drawn cars, nothing at all."""

import pathlib

import cv2
import numpy as np

from . import augment
from .crops import replace_plate
from .data import load, read_set, split
from .drawing import Glyphs, draw_plate
from .geometry import apply, paste, random_view, rectangle
from .grammar import random_spec
from .negatives import distraction, sign

SIDE = 320
MOST = 6  # plates in one picture
MIX = {"scene": 0.45, "patch": 0.15, "background": 0.2, "road": 0.2}


class SceneMaker:
    def __init__(self, data: pathlib.Path, fonts, seed: int, side: int = SIDE):
        self.rng = np.random.default_rng(seed)
        self.side = side
        self.glyphs = Glyphs(data, fonts)
        self.scenes = split(read_set(data, "train/scenes"))[0]
        self.patches = split(read_set(data, "train/patches"))[0]
        self.backgrounds = [load(i.path) for i in split(read_set(data, "train/backgrounds"))[0]]
        self.names = list(MIX)
        self.shares = np.cumsum(list(MIX.values())) / sum(MIX.values())

    def sample(self):
        """(picture uint8 SIDExSIDEx3, quads [n,4,2], rows [n], keep [n]); keep 0: neither right nor wrong to find."""
        rng, side = self.rng, self.side
        canvas = self._ground()
        owner = np.zeros((side, side), np.int16)
        plates = []
        # small plates come several in a picture
        width = float(np.exp(rng.uniform(np.log(18), np.log(330))))
        count = 1 if width > 110 else int(rng.integers(1, 4)) if width > 55 else int(rng.integers(1, 5))
        for n in range(1, count + 1):
            image, found = getattr(self, "_" + self.names[int(np.searchsorted(self.shares, rng.random()))])()
            h, w = image.shape[:2]
            if found:
                q = found[0][0]
                here = max(np.linalg.norm(q[1] - q[0]), np.linalg.norm(q[2] - q[3]), 4)
                k = width * rng.uniform(0.75, 1.3) / here
                centre = q.mean(0)
            else:
                k, centre = rng.uniform(0.4, 1.6), np.array([rng.uniform(0, w), rng.uniform(0, h)])
            k = float(np.clip(k, 0.12, 5))
            a = np.radians(np.clip(rng.normal(0, 7), -30, 30))
            c, s = np.cos(a) * k, np.sin(a) * k
            sx, sy = np.exp(rng.normal(0, 0.06, 2))
            shear = rng.normal(0, 0.05)
            m = np.array([[c * sx, -s + shear * k, 0], [s, c * sy, 0], [0, 0, 1]])
            reach = min(0.45, width / side * 0.45)
            to = rng.uniform(side * reach, side * (1 - reach), 2) if rng.random() < 0.93 else rng.uniform(0, side, 2)
            m[:2, 2] = to - m[:2, :2] @ centre
            if rng.random() < 0.4:
                tilt = np.eye(3)
                tilt[2, :2] = rng.normal(0, 0.12 / side, 2)
                back = np.eye(3)
                back[:2, 2] = -to
                forth = np.eye(3)
                forth[:2, 2] = to
                m = forth @ tilt @ back @ m
            if k < 0.7:
                f = max(0.15, k * 1.2)
                image = cv2.resize(image, None, fx=f, fy=f, interpolation=cv2.INTER_AREA)
                m = m @ np.diag([w / image.shape[1], h / image.shape[0], 1])
                found = [(q * [image.shape[1] / w, image.shape[0] / h], r) for q, r in found]
                h, w = image.shape[:2]
            warped = cv2.warpPerspective(image, m, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            covers = cv2.warpPerspective(np.full((h, w), 255, np.uint8), m, (side, side), flags=cv2.INTER_NEAREST) > 0
            canvas[covers] = warped[covers]
            owner[covers] = n
            plates += [(apply(m, q), r, n) for q, r in found]
        for _ in range(int(rng.choice([0, 1, 2], p=[0.65, 0.25, 0.1]))):  # what is no plate, over whatever was there
            w, h = int(rng.integers(40, 190)), int(rng.integers(16, 90))
            x, y = int(rng.integers(0, side - w)), int(rng.integers(0, side - h))
            piece = canvas[y: y + h, x: x + w].copy()
            distraction(rng, self.glyphs, piece)
            canvas[y: y + h, x: x + w] = piece
            owner[y: y + h, x: x + w] = -1
        if rng.random() < 0.12:  # the border the runtime pads with
            cut = int(rng.uniform(0.6, 1) * side)
            if rng.random() < 0.5:
                canvas[cut:] = 114
                owner[cut:] = -2
            else:
                canvas[:, cut:] = 114
                owner[:, cut:] = -2
        quads, rows, keep = [], [], []
        for q, r, n in plates:
            mask = np.zeros((side, side), np.uint8)
            cv2.fillConvexPoly(mask, np.round(q).astype(np.int32), 1)
            area = abs(cv2.contourArea(q.astype(np.float32)))
            seen = float(((owner == n) & (mask > 0)).sum()) / max(area, 1)
            size = max(np.linalg.norm(q[1] - q[0]), np.linalg.norm(q[2] - q[3]))
            if seen < 0.08:
                continue
            quads.append(q)
            rows.append(r)
            keep.append(1 if seen > 0.85 and size >= 15 else 0)
        x = canvas
        if rng.random() < 0.85:
            x = augment.light(rng, x, 0.8)
        x = augment.weather(rng, x, 0.8)
        if rng.random() < 0.15:
            x = augment.infrared(rng, x)
        if rng.random() < 0.2:
            x = augment.motion_blur(rng, x, rng.uniform(2, 7))
        if rng.random() < 0.25:
            x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
        if rng.random() < 0.4:
            x = augment.sensor(rng, x, abs(rng.normal(0, 7)))
        x = augment.to_uint8(x)
        if rng.random() < 0.4:
            x = augment.jpeg(rng, x)
        return x, np.array(quads[:MOST], np.float32).reshape(-1, 4, 2), rows[:MOST], keep[:MOST]

    # --- what a canvas starts as ---

    def _ground(self):
        rng, side = self.rng, self.side
        kind = rng.random()
        if kind < 0.35:
            return np.full((side, side, 3), 114, np.float32)
        if kind < 0.8:
            image = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            h, w = image.shape[:2]
            s = int(rng.uniform(0.4, 1.0) * min(h, w))
            x, y = int(rng.integers(0, w - s + 1)), int(rng.integers(0, h - s + 1))
            return cv2.resize(image[y: y + s, x: x + s], (side, side)).astype(np.float32)
        out = np.empty((side, side, 3), np.float32)
        out[:] = rng.uniform(0, 255, 3)
        return out

    # --- pieces: (picture float32, [(quad, rows - 1)]) ---

    def _scene(self):
        return self._real(self.scenes)

    def _patch(self):
        return self._real(self.patches)

    def _real(self, items):
        rng = self.rng
        item = items[int(rng.integers(len(items)))]
        image, quad, rows = item.load(), item.corners, 0
        if rng.random() < 0.5:
            spec = random_spec(rng)
            image, quad = replace_plate(rng, image, quad, draw_plate(rng, self.glyphs, spec, 0.4), spec.size)
            rows = spec.rows - 1
        image = image.astype(np.float32)
        if rng.random() < 0.4:  # seen in a mirror: another street, another side
            w = image.shape[1]
            image = np.ascontiguousarray(image[:, ::-1])
            quad = np.stack([w - quad[:, 0], quad[:, 1]], 1)[[1, 0, 3, 2]]
        return image, [(np.asarray(quad, np.float32), rows)]

    def _background(self):
        """A road or car park; on most of them one to three drawn plates, often on a drawn bumper."""
        rng = self.rng
        image = self.backgrounds[int(rng.integers(len(self.backgrounds)))].astype(np.float32)
        k = min(1.0, 480 / max(image.shape[:2]))
        image = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        if rng.random() < 0.4:
            image = np.ascontiguousarray(image[:, ::-1])
        found = []
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.25, 0.45, 0.2, 0.1]))):
            self._place(image, found, bumper=rng.random() < 0.5)
        if rng.random() < 0.3:
            h, w = image.shape[:2]
            x, y = int(rng.integers(0, w - 120)), int(rng.integers(0, h - 40))
            piece = image[y: y + 40, x: x + 120]
            if not any(_touches(q, x, y, 120, 40) for q, _ in found):
                sign(rng, self.glyphs, piece)
        rng.shuffle(found)
        return image, found

    def _place(self, image, found, bumper=False, at=None, width=None):
        rng = self.rng
        h, w = image.shape[:2]
        spec = random_spec(rng)
        plate = draw_plate(rng, self.glyphs, spec, 0.5)
        width = width or float(np.exp(rng.uniform(np.log(40), np.log(220))))
        view = random_view(rng, spec.size, 55, 35, 25 if not bumper else 8) * width
        at = at if at is not None else rng.uniform([w * 0.12, h * 0.12], [w * 0.88, h * 0.88])
        quad = (view + at).astype(np.float32)
        x0, y0 = quad.min(0) - 6
        x1, y1 = quad.max(0) + 6
        if any(_touches(q, x0, y0, x1 - x0, y1 - y0) for q, _ in found):
            return
        if bumper:
            tone = rng.uniform(10, 240) + rng.normal(0, 15, 3)
            c = quad.mean(0)
            bw, bh = width * rng.uniform(1.2, 2.2), width * rng.uniform(0.5, 1.2)
            box = (rectangle(bw, bh) + c - [bw / 2, bh * rng.uniform(0.3, 0.7)]).astype(np.float32)
            small = np.empty((12, 24, 3), np.float32)
            small[:] = tone
            small *= np.linspace(rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.3), 12, dtype=np.float32)[:, None, None]
            paste(image, cv2.resize(small, (96, 48)), box)
        shade = np.exp(rng.normal(0, 0.25))
        lit = plate.astype(np.float32) * shade
        if rng.random() < 0.3:
            lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.5, 1.5))
        paste(image, np.clip(lit, 0, 255), quad)
        found.append((quad, spec.rows - 1))

    def _road(self):
        """A simply drawn road with a car on it, as in drawings and simulations."""
        rng = self.rng
        w, h = 480, int(rng.choice([270, 300, 360]))
        scene = np.empty((h, w, 3), np.float32)
        sky, street = rng.uniform(90, 255, 3), rng.uniform(30, 160) + rng.normal(0, 8, 3)
        t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        horizon = int(h * rng.uniform(0.2, 0.55))
        scene[:] = sky * (1 - 0.4 * t)
        scene[horizon:] = street * (0.8 + 0.4 * t[horizon:])
        cv2.fillPoly(scene, [np.array([[int(w * rng.uniform(0.3, 0.5)), horizon], [int(w * rng.uniform(0.5, 0.7)), horizon],
                                       [int(w * rng.uniform(0.9, 1.4)), h], [int(w * rng.uniform(-0.4, 0.1)), h]])],
                     tuple(float(v) for v in street * rng.uniform(0.6, 1.2)))
        for _ in range(int(rng.integers(0, 6))):  # houses, hedges, booths
            x, bw = int(rng.integers(-40, w)), int(rng.integers(20, 160))
            y0, y1 = int(rng.integers(0, horizon + 1)), int(horizon + rng.integers(0, 40))
            cv2.rectangle(scene, (x, y0), (x + bw, y1), tuple(float(v) for v in rng.uniform(20, 235, 3)), -1)
        for i in range(int(rng.integers(0, 6))):
            y = int(horizon + (h - horizon) * (i + 0.5) / 6)
            cv2.line(scene, (w // 2, y), (w // 2, y + 12), (235.0, 235.0, 220.0), int(rng.integers(1, 5)))
        found = []
        for _ in range(int(rng.choice([1, 2], p=[0.8, 0.2])) if rng.random() < 0.92 else 0):
            self._car(scene, found)
        if rng.random() < 0.4:  # a striped boom
            y = int(rng.uniform(0.3, 0.9) * h)
            thick = int(rng.integers(4, 12))
            if not any(_touches(q, 0, y - thick, w, 2 * thick) for q, _ in found):
                for i in range(0, w, 40):
                    cv2.line(scene, (i, y), (i + 20, y), (215.0, 30.0, 30.0), thick)
                    cv2.line(scene, (i + 20, y), (i + 40, y), (245.0, 245.0, 245.0), thick)
        if rng.random() < 0.4:
            x, y = int(rng.integers(0, w - 130)), int(rng.choice([2, h - 34]))
            if not any(_touches(q, x, y, 130, 32) for q, _ in found):
                sign(rng, self.glyphs, scene[y: y + 32, x: x + 130])
        if rng.random() < 0.4:
            scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.4, 1.2))
        return scene, found

    def _car(self, scene, found):
        rng = self.rng
        h, w = scene.shape[:2]
        cw = float(np.exp(rng.uniform(np.log(70), np.log(420))))
        ch = cw * rng.uniform(0.55, 0.95)
        cx, bottom = rng.uniform(0.15, 0.85) * w, rng.uniform(0.55, 1.02) * h
        x0, y0, x1, y1 = cx - cw / 2, bottom - ch, cx + cw / 2, bottom
        if any(_touches(q, x0, y0, cw, ch) for q, _ in found):
            return
        paint = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.array([rng.uniform(10, 250)] * 3)

        def tone(k):
            return tuple(float(v) for v in np.clip(paint * k, 0, 255))

        def box(ax, ay, bx, by, colour, r):
            ax, ay, bx, by = (int(v) for v in (x0 + ax * cw, y0 + ay * ch, x0 + bx * cw, y0 + by * ch))
            r = int(min(r * cw, (bx - ax) / 2, (by - ay) / 2))
            cv2.rectangle(scene, (ax + r, ay), (bx - r, by), colour, -1)
            cv2.rectangle(scene, (ax, ay + r), (bx, by - r), colour, -1)
            for px, py in ((ax + r, ay + r), (bx - r, ay + r), (ax + r, by - r), (bx - r, by - r)):
                cv2.circle(scene, (px, py), r, colour, -1, cv2.LINE_AA)

        dark = (25.0, 25.0, 28.0)
        box(0.05, 0.85, 0.22, 1.0, dark, 0.02)
        box(0.78, 0.85, 0.95, 1.0, dark, 0.02)
        box(0.12, 0.0, 0.88, 0.5, tone(0.85), 0.1)
        box(0.18, 0.06, 0.82, 0.42, tuple(float(v) for v in rng.uniform(20, 170, 3)), 0.06)
        box(0.0, 0.38, 1.0, 0.93, tone(1.0), 0.08)
        box(0.25, 0.5, 0.75, 0.62, tone(0.4) if rng.random() < 0.6 else dark, 0.03)
        lamp = (250.0, 248.0, 220.0) if rng.random() < 0.6 else (215.0, 30.0, 30.0)
        for fx in (0.12, 0.88):
            cv2.ellipse(scene, (int(x0 + fx * cw), int(y0 + 0.55 * ch)), (max(2, int(cw * rng.uniform(0.04, 0.09))), max(2, int(ch * 0.06))),
                        0, 0, 360, lamp, -1, cv2.LINE_AA)
        box(0.03, 0.72, 0.97, 0.9, tone(rng.uniform(0.5, 1.1)), 0.03)
        at = np.array([cx + cw * rng.normal(0, 0.02), y0 + ch * rng.uniform(0.66, 0.82)])
        width = cw * rng.uniform(0.22, 0.4)
        spec = random_spec(rng)
        style = "demo" if rng.random() < 0.7 else None
        plate = draw_plate(rng, self.glyphs, spec, 0.5, style)
        view = random_view(rng, spec.size, *((6, 6, 3) if rng.random() < 0.6 else (40, 25, 10))) * width
        quad = (view + at).astype(np.float32)
        if quad[:, 0].min() < 0 or quad[:, 1].min() < 0 or quad[:, 0].max() > w or quad[:, 1].max() > h:
            return
        paste(scene, plate, quad)
        found.append((quad, spec.rows - 1))


def _touches(quad, x, y, w, h) -> bool:
    lo, hi = quad.min(0), quad.max(0)
    return not (hi[0] < x or lo[0] > x + w or hi[1] < y or lo[1] > y + h)
