"""Checkpoints to ONNX, checked against PyTorch; calibration, threshold and manifest."""

import datetime
import hashlib
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from . import calibrate
from .alphabet import ALPHABET, CLASSES, SLOTS, decode
from .data import load, read_set, split
from .decode import LONG_SIDE, MULTIPLE, PAD, STRIDE, quad_iou
from .geometry import CROP_H, CROP_W, MARGIN
from .networks import Detector, Reader, parameters
from .pair import Pair
from .train_reader import Samples, spoiled_held_out, validation


class DetectorRuntime(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image):
        score, corners = self.net(image)
        return score.sigmoid(), corners


class ReaderRuntime(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, plates):
        chars, plate_class, rows, corners = self.net(plates)
        return chars.softmax(2), plate_class.softmax(1), rows.softmax(1), corners


def halve(path: pathlib.Path) -> None:
    """Store large weights as 16-bit floats, widened by a Cast that the runtime folds at load.

    Arithmetic stays in 32 bits, so every processor can run it; only the file shrinks.
    """
    model = onnx.load(str(path))
    graph, casts = model.graph, []
    for i, t in enumerate(list(graph.initializer)):
        if t.data_type == TensorProto.FLOAT and np.prod(t.dims) >= 256:
            small = numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float16), t.name + "_h")
            casts.append(helper.make_node("Cast", [small.name], [t.name], to=TensorProto.FLOAT, name=f"widen_{i}"))
            graph.initializer.remove(t)
            graph.initializer.append(small)
    for c in reversed(casts):
        graph.node.insert(0, c)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def to_onnx(net, example, path: pathlib.Path, inputs, outputs, axes) -> None:
    torch.onnx.export(net, (example,), str(path), input_names=inputs, output_names=outputs, dynamic_axes=axes,
                      opset_version=17, dynamo=False, do_constant_folding=True)
    halve(path)
    session = onnxruntime.InferenceSession(str(path))
    with torch.no_grad():
        want = [v.numpy() for v in net(example)]
    got = session.run(outputs, {inputs[0]: example.numpy()})
    for name, a, b in zip(outputs, want, got):
        limit = 2.0 if path.stem == "detector" and name == "corners" else 0.02
        error = float(np.abs(a - b).max())
        if error > limit:
            raise RuntimeError(f"{path.name}: output {name} differs from PyTorch by {error}")
        print(f"{path.name}: {name} {b.shape}, differs by {error:.5f}", flush=True)


def digest(path: pathlib.Path) -> dict:
    data = path.read_bytes()
    return {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def choose_threshold(pair: Pair, data: pathlib.Path) -> dict:
    """The lowest score that keeps found plates on held-out scenes and few extra boxes on held-out backgrounds."""
    best, extras = [], []
    for item in split(read_set(data, "train/scenes"))[1][:250]:
        found = pair.find(item.load(), 0.05)
        best.append(max((f.score for f in found if quad_iou(f.quad, item.corners) > 0.5), default=0.0))
    backgrounds = split(read_set(data, "train/backgrounds"))[1]
    for item in backgrounds:
        extras += [f.score for f in pair.find(load(item.path), 0.05)]
    best, extras = np.array(best), np.array(extras)
    rows = [(t, float((best > t).mean()), float((extras > t).sum() / max(len(backgrounds), 1))) for t in np.arange(0.1, 0.65, 0.05)]
    top = max(r[1] for r in rows)
    # as high as it goes without losing a plate that a lower one would find, at most 0.35: other cameras score lower than those at hand
    threshold = max((t for t, found, _ in rows if found >= top - 0.002 and t <= 0.35), default=0.2)
    return {"threshold": round(float(threshold), 3), "table": [[round(float(v), 4) for v in r] for r in rows]}


def exported(name: str, net, work: pathlib.Path, models: pathlib.Path, before: dict, write) -> dict:
    """Exports the checkpoint of one network by `write(net)`, or keeps the file that is there where only the other one was
    trained; what the manifest says of its training."""
    checkpoint = work / name / "best.pt"
    if not checkpoint.exists():
        if not before or not (models / f"{name}.onnx").exists():
            raise FileNotFoundError(f"no {checkpoint}, and no {name}.onnx with a manifest in {models}: train the {name} first")
        print(f"{name}: not trained here, the file in {models} stays", flush=True)
        kept = before["training"]
        return {"training": {k: kept[f"{name}{k}"] for k in ("Images", "ImagesBefore", "Parameters")}, "figures": before["figures"]["validation"][name]}
    best = torch.load(checkpoint, weights_only=False)
    net.load_state_dict(best["net"])
    write(net)
    return {"training": {"Images": int(best["seen"]), "ImagesBefore": int(best["before"]), "Parameters": parameters(net)}, "figures": best["figures"]}


def export(work: pathlib.Path, models: pathlib.Path, data: pathlib.Path, seed: int) -> None:
    models.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    target = models / "manifest.json"
    before = json.loads(target.read_text(encoding="utf8")) if target.exists() else {}
    d = exported("detector", Detector(), work, models, before, lambda net: to_onnx(
        DetectorRuntime(net).eval(), torch.rand(1, 3, 384, 640), models / "detector.onnx", ["image"], ["score", "corners"],
        {"image": {2: "height", 3: "width"}, "score": {2: "rows", 3: "columns"}, "corners": {2: "rows", 3: "columns"}}))
    r = exported("reader", Reader(), work, models, before, lambda net: to_onnx(
        ReaderRuntime(net).eval(), torch.rand(2, 3, CROP_H, CROP_W), models / "reader.onnx", ["plates"], ["characters", "class", "rows", "corners"],
        {k: {0: "n"} for k in ("plates", "characters", "class", "rows", "corners")}))
    manifest = {
        "version": "1",
        "detector": {
            **digest(models / "detector.onnx"),
            "input": {"name": "image", "layout": "NCHW", "channels": "RGB", "scale": 1 / 255, "longSide": LONG_SIDE,
                      "multiple": MULTIPLE, "padValue": PAD},
            "outputs": {"score": "score", "corners": "corners"},
            "stride": STRIDE, "threshold": 0.3, "nmsIou": 0.3,
        },
        "reader": {
            **digest(models / "reader.onnx"),
            "input": {"name": "plates", "width": CROP_W, "height": CROP_H, "margin": MARGIN, "layout": "NCHW",
                      "channels": "RGB", "scale": 1 / 255},
            "outputs": {"characters": "characters", "class": "class", "rows": "rows", "corners": "corners"},
            "slots": SLOTS, "alphabet": ALPHABET, "classes": CLASSES, "calibration": {"points": []},
        },
        "training": {
            "data": ["CCPD photographs and patches", "plate crops of public collections", "province characters",
                     "roads and car parks without plates", "drawn plates and scenes"],
            **{f"{name}{k}": v for name, of in (("detector", d), ("reader", r)) for k, v in of["training"].items()},
            "date": datetime.date.today().isoformat(), "seed": seed,
        },
        "figures": {"validation": {"reader": r["figures"], "detector": d["figures"]}},
    }

    def write():
        target.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf8")

    write()
    pair = Pair(models)
    chosen = choose_threshold(pair, data)
    manifest["detector"]["threshold"] = chosen["threshold"]
    manifest["figures"]["validation"]["threshold"] = chosen["table"]
    raw, right = calibration_reads(pair, data, seed)
    manifest["reader"]["calibration"]["points"] = calibrate.fit(raw, right)
    write()
    print(f"threshold {chosen['threshold']}; calibration from {len(raw)} reads, {right.mean():.4f} right; "
          f"points {manifest['reader']['calibration']['points'][-4:]}", flush=True)


def calibration_reads(pair: Pair, data: pathlib.Path, seed: int):
    """Reads of held-out pictures: as they are, spoiled as in training, and through the detector's own corners."""
    raw, right = [], []

    def add(images, texts):
        chars, _, _, _, confidence = pair.read_crops(images)
        raw.append(confidence)
        right.append(calibrate.right_reads(chars, texts))

    for _, images, texts in validation(data):
        add(images, texts)
    maker = Samples(data, None, seed, without=("cut",)).maker  # its glyphs are not used for real pictures
    maker.rng = np.random.default_rng(seed + 77)
    spoiled = list(spoiled_held_out(maker, data, 3))
    add(np.stack([image for image, _ in spoiled]), [decode(label) for _, label in spoiled])
    for item in split(read_set(data, "train/scenes"))[1]:
        reads = pair.recognise(item.load())
        if reads:
            raw.append(np.array([reads[0].raw]))
            right.append(calibrate.right_reads(reads[0].probabilities[None], [item.plate]))
    return np.concatenate(raw), np.concatenate(right)
