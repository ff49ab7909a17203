"""From a picture to the detector's input, and from its output to plates: what the runtime does, in numpy."""

from dataclasses import dataclass

import cv2
import numpy as np

LONG_SIDE, MULTIPLE, PAD, STRIDE = 512, 32, 114, 8


@dataclass
class Found:
    score: float
    rows: int  # 1 or 2
    quad: np.ndarray  # 4 x 2, input pixels


def letterbox(image: np.ndarray, long_side: int = LONG_SIDE):
    """(picture scaled so that its long side is `long_side`, padded right and below; the scale)."""
    h, w = image.shape[:2]
    k = long_side / max(h, w)
    sw, sh = max(1, round(w * k)), max(1, round(h * k))
    small = cv2.resize(image, (sw, sh), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
    pw, ph = -(-sw // MULTIPLE) * MULTIPLE, -(-sh // MULTIPLE) * MULTIPLE
    out = np.full((ph, pw, 3), PAD, np.uint8)
    out[:sh, :sw] = small
    return out, k


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    lo, hi = np.maximum(a.min(0), b.min(0)), np.minimum(a.max(0), b.max(0))
    w, h = np.maximum(hi - lo, 0)
    inter = float(w * h)
    area = [float(np.prod(q.max(0) - q.min(0))) for q in (a, b)]
    return inter / max(area[0] + area[1] - inter, 1e-6)


def quad_iou(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two convex quads."""
    a, b = cv2.convexHull(np.asarray(a, np.float32)), cv2.convexHull(np.asarray(b, np.float32))
    inter, _ = cv2.intersectConvexConvex(a, b)
    return float(inter / max(cv2.contourArea(a) + cv2.contourArea(b) - inter, 1e-6))


def find_plates(score: np.ndarray, corners: np.ndarray, threshold: float, nms_iou: float = 0.3, most: int = 20) -> list[Found]:
    """Peaks of the heat map [2,g,g] over `threshold`, with their corners [8,g,g]; overlapping ones dropped."""
    heat = score.max(0)
    peak = cv2.dilate(heat, np.ones((3, 3), np.uint8)) == heat
    ys, xs = np.where(peak & (heat > threshold))
    order = np.argsort(-heat[ys, xs])[:100]
    out: list[Found] = []
    for i in order:
        y, x = ys[i], xs[i]
        quad = corners[:, y, x].reshape(4, 2) + np.array([(x + 0.5) * STRIDE, (y + 0.5) * STRIDE], np.float32)
        if any(box_iou(quad, f.quad) > nms_iou for f in out):
            continue
        out.append(Found(float(heat[y, x]), 1 + int(score[1, y, x] > score[0, y, x]), quad))
        if len(out) >= most:
            break
    return out
