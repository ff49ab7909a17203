"""The exported pair at work in ONNX Runtime: picture to plates, the way the gate does it."""

import json
import pathlib
import time
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime

from .alphabet import decode
from .decode import PAD, box_iou, find_plates, letterbox
from .geometry import straighten
from .grammar import valid


@dataclass
class Read:
    text: str
    confidence: float  # calibrated
    raw: float
    plate_class: str
    rows: int
    quad: np.ndarray
    score: float
    probabilities: np.ndarray

    @property
    def valid(self) -> bool:
        return valid(self.text)


class Pair:
    def __init__(self, models: pathlib.Path, threads: int = 1, again: bool = False):
        self.manifest = json.loads((models / "manifest.json").read_text(encoding="utf8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.detector = onnxruntime.InferenceSession(str(models / self.manifest["detector"]["file"]), options)
        self.reader = onnxruntime.InferenceSession(str(models / self.manifest["reader"]["file"]), options)
        points = np.array(self.manifest["reader"]["calibration"]["points"], float)
        self.points = points if len(points) else np.array([[0, 0], [1, 1]], float)
        self.threshold = self.manifest["detector"]["threshold"]
        self.nms = self.manifest["detector"]["nmsIou"]
        self.again = again
        self.ms = {"detect": [], "again": [], "read": []}

    def calibrate(self, raw):
        return np.interp(raw, self.points[:, 0], self.points[:, 1])

    def read_crops(self, crops: np.ndarray):
        """uint8 [N,48,128,3] to (probabilities, class, rows, raw confidence)."""
        x = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32) / 255
        parts = [self.reader.run(["characters", "class", "rows"], {"plates": x[i: i + 64]}) for i in range(0, len(x), 64)]
        chars, plate_class, rows = (np.concatenate(p) for p in zip(*parts))
        return chars, plate_class, rows, chars.max(2).prod(1)

    def find(self, image: np.ndarray, threshold=None):
        """Plates with quads in the picture's own pixels."""
        box, k = letterbox(image, self.manifest["detector"]["input"]["longSide"])
        x = np.ascontiguousarray(box.transpose(2, 0, 1)[None]).astype(np.float32) / 255
        t = time.perf_counter()
        score, corners = self.detector.run(["score", "corners"], {"image": x})
        self.ms["detect"].append((time.perf_counter() - t) * 1e3)
        found = find_plates(score[0], corners[0], threshold or self.threshold, self.nms)
        for f in found:
            f.quad = f.quad / k
        return found

    def look_again(self, image: np.ndarray, f, width: float = 128, w: int = 256, h: int = 160):
        """The same plate found once more in a close-up where it is `width` pixels wide: tighter corners."""
        k = width / max(np.linalg.norm(f.quad[1] - f.quad[0]), np.linalg.norm(f.quad[2] - f.quad[3]), 1)
        k = min(k, (h * 0.6) / max(np.ptp(f.quad[:, 1]), 1))
        c = (f.quad.min(0) + f.quad.max(0)) / 2
        m = np.array([[k, 0, w / 2 - k * c[0]], [0, k, h / 2 - k * c[1]]])
        if k < 0.6:
            n = int(np.ceil(1 / k))
            big = cv2.warpAffine(image, m * n, (w * n, h * n), flags=cv2.INTER_LINEAR, borderValue=(PAD, PAD, PAD))
            near = cv2.resize(big, (w, h), interpolation=cv2.INTER_AREA)
        else:
            near = cv2.warpAffine(image, m, (w, h), flags=cv2.INTER_LINEAR, borderValue=(PAD, PAD, PAD))
        x = np.ascontiguousarray(near.transpose(2, 0, 1)[None]).astype(np.float32) / 255
        t = time.perf_counter()
        score, corners = self.detector.run(["score", "corners"], {"image": x})
        self.ms["again"].append((time.perf_counter() - t) * 1e3)
        best = None
        for g in find_plates(score[0], corners[0], 0.15, self.nms):
            g.quad = (g.quad - m[:, 2]) / k
            if box_iou(g.quad, f.quad) > 0.3 and (best is None or g.score > best.score):
                best = g
        return best

    def recognise(self, image: np.ndarray, threshold=None) -> list[Read]:
        """All plates, the surest first; what reads as no plate is left out."""
        found = self.find(image, threshold)
        if not found:
            return []
        if self.again:
            for f in found[:4]:
                g = self.look_again(image, f)
                if g is not None:
                    f.quad, f.rows = g.quad, g.rows
        crops = np.stack([straighten(image, f.quad) for f in found])
        t = time.perf_counter()
        chars, plate_class, rows, raw = self.read_crops(crops)
        self.ms["read"].append((time.perf_counter() - t) * 1e3 / len(found))
        out = []
        for i, f in enumerate(found):
            text = decode(chars[i].argmax(1))
            if text:
                out.append(Read(text, float(self.calibrate(raw[i])), float(raw[i]), self.manifest["reader"]["classes"][int(plate_class[i].argmax())],
                                1 + int(rows[i].argmax()), f.quad, f.score, chars[i]))
        return sorted(out, key=lambda r: (-r.valid, -r.raw * min(1.0, r.score * 2)))
