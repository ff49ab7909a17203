"""The picture sets on disk: reading, and the split by plate text."""

import csv
import hashlib
import pathlib
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass
class Item:
    path: pathlib.Path
    plate: str
    plate_class: str
    corners: np.ndarray | None  # 4 x 2, clockwise from the plate's top left, pixels
    source: str

    def load(self) -> np.ndarray:
        """RGB uint8."""
        return load(self.path)


def load(path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"cannot read picture {path}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_set(data: pathlib.Path, name: str) -> list[Item]:
    """All pictures of `train/crops`, `eval/street` and so on."""
    items = []
    with open(data / f"{name}.csv", encoding="utf8") as f:
        for row in csv.DictReader(f):
            corners = None
            if row.get("corners"):
                corners = np.array([[float(v) for v in p.split(":")] for p in row["corners"].split("|")], np.float32)
            items.append(Item(data / name / row["file"], row.get("plate") or "", row.get("class") or "", corners, row["source"]))
    return items


def held_out(plate: str, share: float = 0.08) -> bool:
    """True where a plate text belongs to validation; depends on nothing but the text."""
    text = plate.replace("O", "0").encode()
    return int(hashlib.sha256(text).hexdigest()[:8], 16) / 0xFFFFFFFF < share


def split(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Training and validation; pictures without a plate go by their file's name."""
    train, valid = [], []
    for i in items:
        (valid if held_out(i.plate or i.path.name) else train).append(i)
    return train, valid
