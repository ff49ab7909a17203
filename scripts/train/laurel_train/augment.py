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


# --- what stands between the plate and the lens ---

def _field(rng, h: int, w: int, cells_y: int, cells_x: int) -> np.ndarray:
    """A smooth random field, 0 to 1."""
    return np.clip(cv2.resize(rng.random((cells_y, cells_x)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)


def foliage(rng, x: np.ndarray) -> np.ndarray:
    """Sun through leaves: bright and dark patches with soft edges."""
    h, w = x.shape[:2]
    f = _field(rng, h, w, int(rng.integers(3, 7)), int(rng.integers(5, 16)))
    lit = 1 / (1 + np.exp(-(f - rng.uniform(0.35, 0.6)) * rng.uniform(8, 25)))
    return x * (rng.uniform(0.3, 0.65) + lit * rng.uniform(0.5, 0.9))[:, :, None]


def headlights(rng, x: np.ndarray) -> np.ndarray:
    """Two lamps beside or above the plate that flood its ends with light; their veil lies over all."""
    h, w = x.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    veil = np.zeros((h, w), np.float32)
    cy = rng.uniform(-0.8, 0.9) * h
    for cx in (rng.uniform(-0.35, 0.02) * w, rng.uniform(0.98, 1.35) * w):
        r = rng.uniform(0.12, 0.3) * w
        d2 = (xx - cx) ** 2 + (yy - cy) ** 2
        veil += rng.uniform(80, 400) * np.exp(-d2 / (2 * r * r))
    return x * rng.uniform(0.35, 1.0) + (veil + rng.uniform(0, 40))[:, :, None] * np.array([1, rng.uniform(0.9, 1), rng.uniform(0.75, 1)], np.float32)


def night(rng, x: np.ndarray) -> np.ndarray:
    """5 to 60 lux: few photons, gain, sometimes a denoiser's smear, under sodium or cold lamps."""
    lamp = [(1.25, 0.95, 0.5), (1.1, 1.0, 0.75), (1, 1, 1), (0.85, 1.0, 1.2)][int(rng.integers(4))]
    electrons = rng.uniform(12, 120)  # at white
    y = np.clip(x * np.asarray(lamp, np.float32) * rng.uniform(0.25, 1.1), 0, 255) / 255
    y = y + rng.normal(0, 1, y.shape).astype(np.float32) * np.sqrt(np.maximum(y, 0.01) / electrons)
    if rng.random() < 0.4:
        h, w = y.shape[:2]
        blotch = cv2.resize(rng.normal(0, 0.05, (max(2, h // 8), max(2, w // 8), 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        y = cv2.GaussianBlur(y, (0, 0), rng.uniform(0.5, 1.0)) + blotch
    return 255 * y * rng.uniform(0.6, 1.6)


def retroreflection(rng, x: np.ndarray) -> np.ndarray:
    """An infrared lamp's plate: gray, writing bright or burnt out on a ground that shines back too."""
    g = infrared(rng, x)
    low, high = np.percentile(g, 5), np.percentile(g, 95)
    t = np.clip((g - low) / max(high - low, 8), 0, 1.4)
    h, w = x.shape[:2]
    spot = 0.6 + 0.8 * _field(rng, h, w, 2, 3)[:, :, None]
    return (rng.uniform(10, 110) + t * rng.uniform(70, 190)) * spot


def cover(rng, x: np.ndarray) -> np.ndarray:
    """A plastic cover: haze, a slanted gloss, less contrast."""
    h, w = x.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    a = rng.uniform(0, np.pi)
    d = (xx - w * rng.uniform(0, 1)) * np.cos(a) + (yy - h * rng.uniform(0, 1)) * np.sin(a)
    gloss = rng.uniform(20, 120) * np.exp(-(d / (rng.uniform(0.08, 0.35) * w)) ** 2)
    return x * rng.uniform(0.5, 0.95) + (gloss + rng.uniform(0, 50))[:, :, None]


def rain(rng, x: np.ndarray) -> np.ndarray:
    """Streaks, and drops on the glass that smear what lies behind them."""
    h, w = x.shape[:2]
    layer = np.zeros((h, w), np.float32)
    slope, length = rng.uniform(-0.4, 0.4), rng.uniform(0.1, 0.5) * h
    for _ in range(int(rng.integers(3, 25))):
        px, py = rng.uniform(0, w), rng.uniform(-length, h)
        cv2.line(layer, (int(px), int(py)), (int(px + slope * length), int(py + length)), float(rng.uniform(15, 70)), 1, cv2.LINE_AA)
    out = x + layer[:, :, None]
    if rng.random() < 0.5:
        smear = cv2.GaussianBlur(x, (0, 0), 0.06 * h + 0.8)
        mask = np.zeros((h, w), np.float32)
        for _ in range(int(rng.integers(1, 5))):
            cv2.circle(mask, (int(rng.uniform(0, w)), int(rng.uniform(0, h))), max(2, int(rng.uniform(0.05, 0.22) * h)), 1.0, -1, cv2.LINE_AA)
        out = out + (smear - out) * mask[:, :, None] * rng.uniform(0.5, 0.95)
    return out


def splash(rng, x: np.ndarray) -> np.ndarray:
    """Mud and snow: opaque blots that leave the strokes guessable."""
    h, w = x.shape[:2]
    tone = np.asarray([(95, 80, 60), (70, 65, 60), (225, 228, 235)][int(rng.integers(3))], np.float32) + rng.normal(0, 12, 3)
    f = _field(rng, h, w, int(rng.integers(4, 10)), int(rng.integers(8, 24)))
    a = np.clip((f - rng.uniform(0.68, 0.85)) * 5, 0, rng.uniform(0.4, 0.9))[:, :, None]
    return x + (tone - x) * a


def bow(rng, x: np.ndarray) -> np.ndarray:
    """A wide-angle lens or a bent plate: rows curve, columns crowd towards one end."""
    h, w = x.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    u, v = xx / max(w - 1, 1) - 0.5, yy / max(h - 1, 1) - 0.5
    sag, swell, crowd = rng.normal(0, 0.06) * h, rng.normal(0, 0.05), rng.normal(0, 0.025) * w
    map_y = yy + sag * (4 * u * u - 0.5) + h * swell * v * (4 * u * u - 0.5)
    map_x = xx + crowd * (4 * u * u - 0.5)
    return cv2.remap(x, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


# Chance of each for one crop; drawn plates, which start out clean, get them more often.
WEATHER = {foliage: 0.05, headlights: 0.05, night: 0.08, cover: 0.04, rain: 0.03, splash: 0.03}


def weather(rng, x: np.ndarray, often: float = 1.0) -> np.ndarray:
    for spoil, chance in WEATHER.items():
        if rng.random() < chance * often:
            x = spoil(rng, x)
    return x
