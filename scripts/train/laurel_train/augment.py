"""Light, lenses and sensors: what happens to a picture between the plate and the file."""

import cv2
import numpy as np


def light(rng, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Exposure, contrast, gamma, cast, glare, shadow on float or uint8 RGB; returns float32."""
    x = image.astype(np.float32)
    h, w = x.shape[:2]
    if rng.random() < 0.7:
        gain = np.exp(rng.normal(0, 0.3 * strength))
        x = x * gain + rng.normal(0, 12 * strength)
    if rng.random() < 0.3:
        x = 255 * np.power(np.clip(x, 0, 255) / 255, np.exp(rng.normal(0, 0.35 * strength)))
    if rng.random() < 0.35:
        m = x.mean()
        x = (x - m) * rng.uniform(0.4, 1.3) + m
    if rng.random() < 0.4:
        x = x * (1 + rng.normal(0, 0.1 * strength, 3).astype(np.float32))
    if rng.random() < 0.2:
        x += (x.mean(2, keepdims=True) - x) * np.float32(rng.uniform(0.2, 0.9))
    if rng.random() < 0.12:  # a shadow's edge, straight
        a = rng.uniform(0, np.pi)
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        d = (xx - rng.uniform(0.1, 0.9) * w) * np.cos(a) + (yy - rng.uniform(0.1, 0.9) * h) * np.sin(a)
        soft = rng.uniform(0.5, 8)
        x *= (1 - rng.uniform(0.25, 0.65) / (1 + np.exp(np.clip(-d / soft, -30, 30))))[:, :, None]
    if rng.random() < 0.08:  # glare or a headlight's bloom
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.1, 0.5) * w
        x += (rng.uniform(40, 200) * np.exp(-((xx - cx) ** 2 + ((yy - cy) * rng.uniform(0.5, 2)) ** 2) / (2 * r * r)))[:, :, None]
    return x


def infrared(rng, x: np.ndarray) -> np.ndarray:
    """A night camera's gray picture."""
    weights = rng.dirichlet((3, 3, 2)).astype(np.float32)
    g = x @ weights
    return np.repeat(g[:, :, None], 3, 2)


def motion_blur(rng, x: np.ndarray, length: float) -> np.ndarray:
    n = max(2, int(round(length)))
    k = np.zeros((n, n), np.float32)
    a = rng.uniform(0, np.pi) if rng.random() < 0.6 else rng.normal(0, 0.15)
    c = (n - 1) / 2
    p, q = (c - np.cos(a) * c, c - np.sin(a) * c), (c + np.cos(a) * c, c + np.sin(a) * c)
    cv2.line(k, (round(p[0]), round(p[1])), (round(q[0]), round(q[1])), 1.0, 1)
    return cv2.filter2D(x, -1, k / max(k.sum(), 1e-6), borderType=cv2.BORDER_REPLICATE)


def sensor(rng, x: np.ndarray, noise: float) -> np.ndarray:
    h, w = x.shape[:2]
    if rng.random() < 0.5:
        n = rng.normal(0, noise, (h, w, 1))
    else:
        n = rng.normal(0, noise, (h, w, 3))
    return x + n.astype(np.float32)


def jpeg(rng, image: np.ndarray, low: int = 25, high: int = 90) -> np.ndarray:
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(low, high))])
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else image


def to_uint8(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 255).astype(np.uint8)
