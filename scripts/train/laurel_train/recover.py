"""Weights of an exported model back into a network, so that a training can start where a shipped file ended.

An exported convolution carries its normalisation folded into weights and bias. Here it is given a
normalisation again whose statistics are measured on real pictures, so that training sees what it expects.
"""

import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn


def _constants(model) -> dict[str, np.ndarray]:
    found = {t.name: numpy_helper.to_array(t).astype(np.float32) for t in model.graph.initializer}
    for n in model.graph.node:  # weights stored as 16-bit floats are widened by a Cast
        if n.op_type == "Cast" and n.input[0] in found:
            found[n.output[0]] = found[n.input[0]]
    return found


def _run_order(net: nn.Module, x: torch.Tensor, kind) -> list[nn.Module]:
    order: list[nn.Module] = []
    hooks = [m.register_forward_hook(lambda mod, i, o: order.append(mod)) for m in net.modules() if isinstance(m, kind)]
    net.eval()
    with torch.no_grad():
        net(x)
    for h in hooks:
        h.remove()
    return order


def _copy(target: torch.Tensor, value: np.ndarray) -> None:
    """The part of `target` that the file knows; what has been added since stays as it starts."""
    value = torch.from_numpy(value)
    if target.dim() != value.dim():
        raise ValueError(f"the file's {tuple(value.shape)} does not fit {tuple(target.shape)}")
    part = tuple(slice(0, min(a, b)) for a, b in zip(target.shape, value.shape))
    target[part] = value[part]


def recover(net: nn.Module, path: pathlib.Path, pictures: torch.Tensor) -> None:
    """Fill `net` with the weights of the ONNX file at `path`.

    `pictures` [N,3,H,W] in 0..1 are typical inputs. Blocks that start as nothing (`quiet`), slots and
    heads that the file does not have stay as they start, slots as the file's last one.
    Raises ValueError where the file's convolutions are not those of the network.
    """
    model = onnx.load(str(path))
    values = _constants(model)
    added = {m for name, block in net.named_modules() if _is_quiet(block) for m in block.modules()}
    if hasattr(net, "edge") and not any(o.name == "corners" for o in model.graph.output):
        added |= set(net.edge.modules()) | {net.corners}
    layers = [m for m in _run_order(net, pictures[:1], nn.Conv2d) if m not in added]
    nodes = [n for n in model.graph.node if n.op_type == "Conv"]
    if len(layers) != len(nodes):
        # a file of the deepened network has weights for its added blocks too
        layers = _run_order(net, pictures[:1], nn.Conv2d)
    if len(layers) != len(nodes):
        raise ValueError(f"{path} has {len(nodes)} convolutions, the network {len(layers)}")
    bias = {}
    with torch.no_grad():
        for layer, node in zip(layers, nodes):
            _copy(layer.weight, values[node.input[1]])
            if layer.bias is not None:
                _copy(layer.bias, values[node.input[2]])
            else:
                bias[layer] = torch.from_numpy(values[node.input[2]])
        for node in model.graph.node:
            _copy_dense(net, node, values)
        for name in ("place", "slot"):
            own, old = getattr(net, name, None), values.get(f"net.{name}")
            if own is not None and old is not None:
                _copy(own, old)
                own[:, old.shape[1]:] = own[:, old.shape[1] - 1: old.shape[1]]
        look, old = getattr(net, "look", None), values.get("net.look.weight")
        if look is not None and old is not None:
            look.weight[len(old):] = look.weight[len(old) - 1]
            look.bias[len(old):] = look.bias[len(old) - 1]
        _measure(net, bias, pictures)


def _is_quiet(block: nn.Module) -> bool:
    return getattr(block, "quiet", False)


def _copy_dense(net, node, values) -> None:
    """Linear layers: `Gemm` keeps its names, `MatMul` and `Add` keep only the layer's."""
    modules = dict(net.named_modules())
    if node.op_type == "Gemm" and node.input[1].startswith("net."):
        layer = modules[node.input[1].removeprefix("net.").removesuffix(".weight")]
        _copy(layer.weight, values[node.input[1]])
        _copy(layer.bias, values[node.input[2]])
    elif node.op_type in ("MatMul", "Add") and node.name.startswith("/net/"):
        layer = modules.get(node.name.split("/")[2])
        if isinstance(layer, nn.Linear):
            given = [values[i] for i in node.input if i in values]
            if node.op_type == "MatMul":
                _copy(layer.weight, np.ascontiguousarray(given[0].T))
            else:
                _copy(layer.bias, given[0])


def _measure(net, bias, pictures) -> None:
    """Give each folded convolution its normalisation back, layer after layer in the order they run."""
    hooks = []
    for block in net.modules():
        if not isinstance(block, nn.Sequential):
            continue
        parts = list(block)
        for layer, norm in zip(parts[:-1], parts[1:]):
            if layer in bias and isinstance(norm, nn.BatchNorm2d):
                def before(mod, inputs, b=bias[layer]):
                    mean, var = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)
                    mod.running_mean.copy_(mean)
                    mod.running_var.copy_(var)
                    mod.weight.copy_(torch.sqrt(var + mod.eps))
                    mod.bias.copy_(b + mean)
                hooks.append(norm.register_forward_pre_hook(before))
    net.eval()
    net(pictures)
    for h in hooks:
        h.remove()


def images_before(path: pathlib.Path | None) -> int:
    """Pictures that the file a training starts from had already seen, by the manifest beside it."""
    manifest = path.parent / "manifest.json" if path else None
    if path is None or path.suffix != ".onnx" or not manifest.exists():
        return 0
    training = json.loads(manifest.read_text(encoding="utf8"))["training"]
    return training.get(f"{path.stem}Images", 0) + training.get(f"{path.stem}ImagesBefore", 0)
