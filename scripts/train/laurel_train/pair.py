"""The exported pair at work in ONNX Runtime: picture to plates, the way the gate does it."""

import json
import pathlib
import time
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime

from .alphabet import decode
from .decode import find_plates, letterbox
from .geometry import CROP_W, apply, crop_rectangle, straighten
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


# A frame off by less (mean of the corners, shares of the crop's width) is left as it is.
ASKEW = 2 / CROP_W


def straightened(quad: np.ndarray, corners: np.ndarray) -> np.ndarray | None:
    """Where the reader sees the plate that `quad` framed; None where the frame is good or the correction absurd."""
    shift = corners.reshape(4, 2) * CROP_W
    if np.linalg.norm(shift, axis=1).mean() < ASKEW * CROP_W:
        return None
    back = cv2.getPerspectiveTransform(crop_rectangle(), quad)
    moved = apply(back, crop_rectangle() + shift)
    area, before = cv2.contourArea(moved), cv2.contourArea(quad)
    if not cv2.isContourConvex(moved.astype(np.float32)) or not 0.4 < area / max(before, 1e-6) < 2.5:
        return None
    return moved


class Pair:
    def __init__(self, models: pathlib.Path, threads: int = 1):
        self.manifest = json.loads((models / "manifest.json").read_text(encoding="utf8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.detector = onnxruntime.InferenceSession(str(models / self.manifest["detector"]["file"]), options)
        self.reader = onnxruntime.InferenceSession(str(models / self.manifest["reader"]["file"]), options)
        points = np.array(self.manifest["reader"]["calibration"]["points"], float)
        self.points = points if len(points) else np.array([[0, 0], [1, 1]], float)
        self.threshold = self.manifest["detector"]["threshold"]
        self.nms = self.manifest["detector"]["nmsIou"]
        self.ms = {"detect": [], "read": []}

    def calibrate(self, raw):
        return np.interp(raw, self.points[:, 0], self.points[:, 1])

    def read_crops(self, crops: np.ndarray):
        """uint8 [N,48,128,3] to (probabilities, class, rows, corners, raw confidence)."""
        x = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32) / 255
        names = ["characters", "class", "rows", "corners"]
        parts = [self.reader.run(names, {"plates": x[i: i + 64]}) for i in range(0, len(x), 64)]
        chars, plate_class, rows, corners = (np.concatenate(p) for p in zip(*parts))
        return chars, plate_class, rows, corners, chars.max(2).prod(1)

    def read(self, image: np.ndarray, quads: list[np.ndarray]):
        """Plates inside `quads`, straightened once more where the reader finds them askew:
        (probabilities, class, rows, raw confidence, quads)."""
        quads = [np.asarray(q, np.float32) for q in quads]
        t = time.perf_counter()
        chars, plate_class, rows, corners, raw = self.read_crops(np.stack([straighten(image, q) for q in quads]))
        moved = {i: q for i, q in enumerate(straightened(q, c) for q, c in zip(quads, corners)) if q is not None}
        if moved:
            again = self.read_crops(np.stack([straighten(image, q) for q in moved.values()]))
            for n, (i, q) in enumerate(moved.items()):
                if again[4][n] >= raw[i]:
                    chars[i], plate_class[i], rows[i], raw[i], quads[i] = again[0][n], again[1][n], again[2][n], again[4][n], q
        self.ms["read"].append((time.perf_counter() - t) * 1e3 / len(quads))
        return chars, plate_class, rows, raw, quads

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

    def recognise(self, image: np.ndarray, threshold=None) -> list[Read]:
        """All plates, the surest first; what reads as no plate is left out."""
        found = self.find(image, threshold)
        if not found:
            return []
        chars, plate_class, rows, raw, quads = self.read(image, [f.quad for f in found])
        out = []
        for i, f in enumerate(found):
            text = decode(chars[i].argmax(1))
            if text:
                out.append(Read(text, float(self.calibrate(raw[i])), float(raw[i]), self.manifest["reader"]["classes"][int(plate_class[i].argmax())],
                                1 + int(rows[i].argmax()), quads[i], f.score, chars[i]))
        return sorted(out, key=lambda r: (-r.valid, -r.raw * min(1.0, r.score * 2)))
