"""Pools: memory-mapped arrays of generated pictures that training draws from and keeps renewing.

Generating a picture costs more than a training step on it, so each is used several times, with
cheap light and noise drawn anew every time.
"""

import multiprocessing
import pathlib
import time

import cv2
import numpy as np
from numpy.lib.format import open_memmap

CHUNK = 500


class Pool:
    """Named arrays of equal length in one folder; filled by chunks, so that filling can be resumed."""

    def __init__(self, folder: pathlib.Path, fields: dict, length: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.length = folder, length
        self.arrays = {}
        fields = {**fields, "chunks-done": None}
        for name, field in fields.items():
            path = folder / f"{name}.npy"
            shape, dtype = ((-(-length // CHUNK),), np.uint8) if field is None else ((length, *field[0]), field[1])
            if path.exists():
                a = np.load(path, mmap_mode="r+")
                if a.shape != shape:
                    raise ValueError(f"{path} holds {a.shape}, wanted {shape}: remove it or use another work folder")
            else:
                a = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
            self.arrays[name] = a
        self.done = self.arrays.pop("chunks-done")

    def put(self, index: int, sample: dict) -> None:
        for name, value in sample.items():
            self.arrays[name][index] = value

    def fill(self, maker_for_chunk, jobs: int = 1) -> None:
        """`maker_for_chunk()` gives an object with `seed(n)` and `sample() -> dict`."""
        if self.done.all():
            return
        workers = [multiprocessing.get_context("fork").Process(target=self._work, args=(maker_for_chunk, j, jobs)) for j in range(jobs)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        if not self.done.all():
            raise RuntimeError(f"pool {self.folder} was not filled: a worker failed")

    def _work(self, maker_for_chunk, job: int, jobs: int) -> None:
        cv2.setNumThreads(1)
        maker = maker_for_chunk()
        start, made = time.time(), 0
        for c in range(job, len(self.done), jobs):
            if self.done[c]:
                continue
            maker.seed(c)
            for i in range(c * CHUNK, min(self.length, (c + 1) * CHUNK)):
                self.put(i, maker.sample())
                made += 1
            self.done[c] = 1
            print(f"pool {self.folder.name}: {int(self.done.sum())}/{len(self.done)} chunks, {made / (time.time() - start):.0f} a second", flush=True)
