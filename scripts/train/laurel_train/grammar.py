"""Random plate texts of every type, each with its layout and colours.

A `Spec` says what is written and where: cells are (character, x, y, width, height, ink), in mm
on a plate of `size` mm. Geometry follows GA 36-2018 (see the project's domain notes).
"""

import re
from dataclasses import dataclass

from .alphabet import DIGITS, LETTERS, PROVINCES

TAIL = LETTERS + DIGITS


@dataclass
class Spec:
    kind: str
    text: str
    plate_class: str
    rows: int
    size: tuple[float, float]
    cells: list
    face: str  # which glyph shapes: 140, 220 or green
    dot: tuple[float, float] | None = None


def _pick(rng, letters: str, n: int = 1) -> str:
    return "".join(letters[int(i)] for i in rng.integers(0, len(letters), n))


def _tail(rng, n: int) -> str:
    """n letters or digits, digits more often, as on the road; now and then the same one repeated."""
    if rng.random() < 0.06:
        return _pick(rng, TAIL) * n
    p = rng.choice([0.1, 0.3, 0.6])
    return "".join(_pick(rng, LETTERS) if rng.random() < p else _pick(rng, DIGITS) for _ in range(n))


def one_row(text, group=2, ink=None):
    """440x140: seven characters 45x90, gap 12, wider gap (34) after `group` characters."""
    x, cells = 15.0, []
    for i, c in enumerate(text):
        cells.append((c, x, 25.0, 45.0, 90.0, (ink or {}).get(i, "text")))
        x += 45 + (34 if i == group - 1 else 12)
    dot = (15 + group * 57 + 5.0, 70.0)
    return (440.0, 140.0), cells, dot


def one_row_eight(text, ink=None, group=2):
    """480x140: province 45, others 43, gap 9, group gap 49."""
    x, cells = 15.5, []
    for i, c in enumerate(text):
        w = 45.0 if i == 0 else 43.0
        cells.append((c, x, 25.0, w, 90.0, (ink or {}).get(i, "text")))
        x += w + (49 if i == group - 1 else 9)
    return (480.0, 140.0), cells, None


def even_row(text, size, top, height, margin, gap, y_ink=None, widths=None):
    """Characters of one row filling `size[0]` between the margins."""
    n = len(text)
    widths = widths or [1.0] * n
    unit = (size[0] - 2 * margin - gap * (n - 1)) / sum(widths)
    x, cells = margin, []
    for i, c in enumerate(text):
        cells.append((c, x, top, unit * widths[i], height, (y_ink or {}).get(i, "text")))
        x += unit * widths[i] + gap
    return cells


def two_rows_large(top, bottom, ink=None):
    """440x220: top 80x60 at y 15, bottom 65x110 at y 90."""
    ink = ink or {}
    cells, n = [], len(top)
    if n == 2:
        xs = [110.0, 250.0]
    else:
        gap = 30.0
        first = 220 - (n * 80 + (n - 1) * gap) / 2
        xs = [first + i * (80 + gap) for i in range(n)]
    for i, c in enumerate(top):
        cells.append((c, xs[i], 15.0, 80.0, 60.0, ink.get(i, "text")))
    m = len(bottom)
    w = 65.0 if m <= 5 else 52.0
    x = 220 - (m * w + (m - 1) * 15) / 2
    for j, c in enumerate(bottom):
        cells.append((c, x, 90.0, w, 110.0, ink.get(n + j, "text")))
        x += w + 15
    return (440.0, 220.0), cells, (220.0, 45.0) if n == 2 else None


def two_rows_small(top, bottom, ink=None, size=(220.0, 140.0)):
    """Motorcycle 220x140 and low-speed 300x165: rows 50 and 60 high (in 140), gap 10."""
    ink = ink or {}
    k = size[1] / 140.0
    tops = even_row(top, size, 10 * k, 50 * k, size[0] * 0.2, size[0] * 0.13,
                    {i: ink.get(i, "text") for i in range(len(top))})
    bottoms = even_row(bottom, size, 70 * k, 60 * k, size[0] * 0.045, size[0] * 0.035,
                       {i: ink.get(len(top) + i, "text") for i in range(len(bottom))})
    return size, tops + bottoms, (size[0] / 2, 35 * k)


# Shares of the kinds in synthetic data: what real training pictures lack comes more often.
KINDS = {
    "blue": 14, "yellow": 8, "yellow-rear": 16, "green": 13, "green-large": 5, "police": 8, "learner": 6,
    "trailer": 5, "hongkong": 4, "embassy": 4, "consulate": 6, "military": 5, "military-two": 3,
    "armed-police": 6, "armed-police-two": 5, "emergency": 4, "motorcycle": 8, "low-speed": 3,
    "learner-two": 2, "black": 3, "police-motorcycle": 4,
}


def random_spec(rng, kind: str | None = None, province: str | None = None) -> Spec:
    if kind is None:
        names = list(KINDS)
        weights = [KINDS[n] for n in names]
        total = sum(weights)
        kind = names[int(rng.choice(len(names), p=[w / total for w in weights]))]
    p = province or _pick(rng, PROVINCES)
    issuer = _pick(rng, LETTERS) if rng.random() > 0.03 else "O"

    def spec(text, colour, rows, layout, face="140"):
        size, cells, dot = layout
        return Spec(kind, text, colour, rows, size, cells, face, dot)

    if kind in ("blue", "yellow", "black"):
        text = p + issuer + _tail(rng, 5)
        return spec(text, kind, 1, one_row(text))
    if kind == "yellow-rear":
        text = p + issuer + _tail(rng, 5)
        return spec(text, "yellow", 2, two_rows_large(text[:2], text[2:]), "220")
    if kind == "green":
        text = p + issuer + _pick(rng, "DFDFABCEGHJK") + _tail(rng, 1) + _pick(rng, DIGITS, 4)
        return spec(text, "green", 1, one_row_eight(text), "green")
    if kind == "green-large":
        text = p + issuer + _pick(rng, DIGITS, 5) + _pick(rng, "DFDFABCEGHJK")
        return spec(text, "green", 1, one_row_eight(text), "green")
    if kind == "police":
        text = p + issuer + _tail(rng, 4) + "警"
        return spec(text, "white", 1, one_row(text, ink={6: "red"}))
    if kind == "police-motorcycle":
        text = p + issuer + _tail(rng, 4) + "警"
        return spec(text, "white", 2, two_rows_small(text[:2], text[2:], {6: "red"}))
    if kind == "learner":
        text = p + issuer + _tail(rng, 4) + "学"
        return spec(text, "yellow", 1, one_row(text))
    if kind == "learner-two":
        text = p + issuer + _tail(rng, 4) + "学"
        return spec(text, "yellow", 2, two_rows_large(text[:2], text[2:]), "220")
    if kind == "trailer":
        text = p + issuer + _tail(rng, 4) + "挂"
        return spec(text, "yellow", 2, two_rows_large(text[:2], text[2:]), "220")
    if kind == "hongkong":
        text = "粤Z" + _tail(rng, 4) + _pick(rng, "港澳")
        return spec(text, "black", 1, one_row(text))
    if kind == "embassy":
        red = rng.random() < 0.4
        if rng.random() < 0.7:
            text = _pick(rng, DIGITS, 6) + "使"
            return spec(text, "black", 1, one_row(text, 3, {6: "red"} if red else None))
        text = "使" + _pick(rng, DIGITS, 6)
        return spec(text, "black", 1, one_row(text, int(rng.choice([1, 4])), {0: "red"} if red else None))
    if kind == "consulate":
        text = p + (_pick(rng, DIGITS, 5) if rng.random() < 0.5 else issuer + _pick(rng, DIGITS, 4)) + "领"
        if rng.random() < 0.2:
            return spec(text, "black", 2, two_rows_large(text[:2], text[2:]), "220")
        return spec(text, "black", 1, one_row(text, ink={6: "red"} if rng.random() < 0.5 else None))
    if kind == "military":
        text = _pick(rng, LETTERS, 2) + _pick(rng, DIGITS, 5)
        return spec(text, "white", 1, one_row(text, ink={0: "red", 1: "red"} if rng.random() < 0.7 else {0: "red"}))
    if kind == "military-two":
        text = _pick(rng, LETTERS, 2) + _pick(rng, DIGITS, 5)
        return spec(text, "white", 2, two_rows_large(text[:2], text[2:], {0: "red", 1: "red"}), "220")
    if kind == "armed-police" and rng.random() < 0.2:  # before 2013: a two-digit province code instead of the character
        text = "WJ" + _pick(rng, DIGITS, 7)
        cells = even_row(text, (440.0, 140.0), 25, 90, 14, 9, {0: "red", 1: "red"}, [0.8, 0.8] + [1.0] * 7)
        return spec(text, "white", 1, ((440.0, 140.0), cells, None))
    if kind == "armed-police":
        text = "WJ" + p + _pick(rng, DIGITS, 4) + _tail(rng, 1)
        size = (440.0, 140.0)
        widths = [0.8, 0.8, 0.9, 1, 1, 1, 1, 1]
        how = rng.random()
        if how < 0.35:  # even, a wider gap after the letters
            w = (440 - 31 - 9 * 7 - 16) / 8
            cells = [(c, 15.5 + i * (w + 9) + (16 if i > 1 else 0), 25.0, w, 90.0, "red" if i < 2 else "text") for i, c in enumerate(text)]
        elif how < 0.7:
            cells = even_row(text, size, 25, 90, 14, 10, {0: "red", 1: "red"}, widths)
        else:
            _, cells, _ = one_row_eight(text, {0: "red", 1: "red"}, 3)
            size = (480.0, 140.0)
        return spec(text, "white", 1, (size, cells, None))
    if kind == "armed-police-two":
        text = "WJ" + p + _pick(rng, DIGITS, 4) + _tail(rng, 1)
        if rng.random() < 0.4:
            return spec(text, "white", 2, two_rows_large(text[:2], text[2:], {0: "red", 1: "red"}), "220")
        return spec(text, "white", 2, two_rows_large(text[:3], text[3:], {0: "red", 1: "red"}), "220")
    if kind == "emergency":
        if rng.random() < 0.8:
            text = p + _pick(rng, "XS") + _pick(rng, DIGITS, 4) + "应急"
        else:
            text = "京" + _pick(rng, DIGITS, 5) + "应急"
        return spec(text, "white", 1, one_row_eight(text, {6: "red", 7: "red"}))
    if kind == "motorcycle":
        text = p + issuer + _tail(rng, 5)
        colour = str(rng.choice(["yellow", "blue", "green", "black"], p=[0.5, 0.35, 0.1, 0.05]))
        return spec(text, colour, 2, two_rows_small(text[:2], text[2:]))
    if kind == "low-speed":
        text = p + issuer + _tail(rng, 5)
        return spec(text, "yellow", 2, two_rows_small(text[:2], text[2:], size=(300.0, 165.0)))
    raise ValueError(kind)


# --- does a text read like a plate? (the runtime's own grammar is finer; this one is for choosing and measuring) ---

_P = f"[{PROVINCES}]"
_T = "[A-HJ-NP-Z0-9]"
PATTERN = re.compile(
    f"{_P}[A-Z0]{_T}{{5}}|{_P}[A-Z0][A-HJK]{_T}\\d{{4}}|{_P}[A-Z0]\\d{{5}}[A-HJK]|{_P}[A-Z0]{_T}{{4}}[警学挂]"
    f"|粤Z{_T}{{4}}[港澳]|\\d{{6}}使|使\\d{{6}}|{_P}\\d{{5}}领|{_P}[A-Z0]\\d{{4}}领|[A-Z0]{{2}}\\d{{5}}"
    f"|WJ{_P}\\d{{4}}{_T}|WJ\\d{{7}}|{_P}[XS]\\d{{4}}应急|京\\d{{5}}应急")


def valid(text: str) -> bool:
    return PATTERN.fullmatch(text) is not None
