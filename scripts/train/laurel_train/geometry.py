"""Perspective: quads, straightening, random views."""

import cv2
import numpy as np

CROP_W, CROP_H, MARGIN = 128, 48, 4


def crop_rectangle(scale: float = 1.0) -> np.ndarray:
    """Where the plate's corners lie in the reader's crop."""
    return np.array([[MARGIN, MARGIN], [CROP_W - MARGIN, MARGIN], [CROP_W - MARGIN, CROP_H - MARGIN],
                     [MARGIN, CROP_H - MARGIN]], np.float32) * scale


def straighten(image: np.ndarray, quad: np.ndarray, w: int = CROP_W, h: int = CROP_H) -> np.ndarray:
    """The plate inside `quad` as a w x h crop with the standard margin.

    Where the plate is much larger than the crop, the picture is averaged down first so that
    thin strokes survive.
    """
    quad = np.asarray(quad, np.float32)
    target = crop_rectangle() * np.array([w / CROP_W, h / CROP_H], np.float32)
    # samples per crop pixel; above 1.5 an area average must come before the bilinear sampling
    size = max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3])) / (w * 120 / 128)
    if size > 1.5:
        k = int(np.ceil(size))
        big = cv2.getPerspectiveTransform(quad, target * k + (k - 1) / 2)
        return cv2.resize(cv2.warpPerspective(image, big, (w * k, h * k), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
                          (w, h), interpolation=cv2.INTER_AREA)
    m = cv2.getPerspectiveTransform(quad, target)
    return cv2.warpPerspective(image, m, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def rectangle(w: float, h: float) -> np.ndarray:
    return np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)


def view(size, yaw: float, pitch: float, roll: float, distance: float) -> np.ndarray:
    """A plate of `size` seen from a side, angles in degrees, `distance` in plate widths: its quad, about one unit wide around 0,0."""
    w, h = size[0] / size[0], size[1] / size[0]
    p = np.array([[-w / 2, -h / 2, 0], [w / 2, -h / 2, 0], [w / 2, h / 2, 0], [-w / 2, h / 2, 0]])
    y, x, z = np.radians((yaw, pitch, roll))
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    p = p @ (rz @ rx @ ry).T
    q = p[:, :2] * (distance / (distance + p[:, 2:]))
    return q.astype(np.float32)


def random_view(rng, size, yaw=45.0, pitch=30.0, roll=20.0) -> np.ndarray:
    """As `view`, from a random side within these limits in degrees; steep ones are rarer than mild ones."""
    angles = [float(np.clip(rng.normal(0, limit / 2), -limit, limit)) for limit in (yaw, pitch, roll)]
    return view(size, *angles, rng.uniform(2.0, 8.0))


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(np.asarray(points, np.float32)[None], matrix.astype(np.float64))[0]


def grow(quad: np.ndarray, fx: float, fy: float) -> np.ndarray:
    """The quad made wider and higher about its middle, in its own perspective."""
    m = cv2.getPerspectiveTransform(rectangle(1, 1), np.asarray(quad, np.float32))
    x0, y0 = (1 - fx) / 2, (1 - fy) / 2
    return apply(m, np.array([[x0, y0], [1 - x0, y0], [1 - x0, 1 - y0], [x0, 1 - y0]], np.float32))


def paste(scene: np.ndarray, picture: np.ndarray, quad: np.ndarray) -> None:
    """Put `picture` into `scene` (float32) over `quad`, edges anti-aliased."""
    h, w = picture.shape[:2]
    size = np.linalg.norm(quad[1] - quad[0])
    while w > 2.2 * size and w > 16:  # average down so that strokes do not alias
        w, h = max(8, w // 2), max(4, h // 2)
        picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    x0, y0 = np.floor(quad.min(0)).astype(int) - 2
    x1, y1 = np.ceil(quad.max(0)).astype(int) + 3
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(scene.shape[1], x1), min(scene.shape[0], y1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    m = cv2.getPerspectiveTransform(rectangle(w, h), (quad - [x0, y0]).astype(np.float32))
    size = (int(x1 - x0), int(y1 - y0))
    warped = cv2.warpPerspective(picture, m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    a = cv2.warpPerspective(np.ones((h, w), np.float32), m, size, flags=cv2.INTER_LINEAR)[:, :, None]
    region = scene[y0:y1, x0:x1]
    region += (warped.astype(np.float32) - region) * a
