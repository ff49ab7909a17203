"""The two networks. Both take RGB 0..1; normalisation is their first step."""

import torch
import torch.nn.functional as F
from torch import nn

from .alphabet import ALPHABET, CLASSES, SLOTS


def conv(i: int, o: int, k: int = 3, s=1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions beside a way past them; `quiet` starts as that way alone, so that a trained network can be deepened."""

    def __init__(self, c: int, quiet: bool = False):
        super().__init__()
        self.quiet = quiet
        self.a = conv(c, c)
        self.b = nn.Sequential(nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c))
        if quiet:
            nn.init.zeros_(self.b[1].weight)

    def forward(self, x):
        return F.relu(x + self.b(self.a(x)))


LAYOUTS = 4
GRID_H, GRID_W = 6, 32  # cells of the reader's feature map


def _places() -> torch.Tensor:
    """Logits of where each slot's character stands: one row, two rows, eight even ones, anywhere in its part."""
    x, y = torch.linspace(0, 1, GRID_W), torch.linspace(0.08, 0.92, GRID_H)
    out = torch.zeros(LAYOUTS, SLOTS, GRID_H, GRID_W)
    for n in range(SLOTS):
        i = min(n, 7)  # a ninth character is rare and learns its own place
        out[0, n] = (-((x - (i + 0.6) / 7.6) / 0.1) ** 2)[None, :]
        cx, cy, sy = ((0.34, 0.66)[i], 0.2, 0.22) if i < 2 else (0.1 + 0.2 * min(i - 2, 4), 0.65, 0.35)
        out[1, n] = -((x[None, :] - cx) / 0.14) ** 2 - ((y[:, None] - cy) / sy) ** 2
        out[2, n] = (-((x - (i + 0.5) / 8) / 0.08) ** 2)[None, :]
        out[3, n] = (-((x - (i + 0.5) / 8) / 0.25) ** 2)[None, :]
    return out


class Reader(nn.Module):
    """Crop 48x128 to nine slots, colour class, number of rows and the plate's corners inside the crop.

    Every slot looks at the whole feature map through an attention of its own. Where a slot expects
    its character depends on the layout (one row, two rows, eight narrow characters), so the map of
    expected places is a mixture of several, weighted by what the plate as a whole looks like.
    The corners let the runtime straighten a plate once more that the detector framed askew.
    """

    def __init__(self, widths=(16, 32, 48, 64)):
        super().__init__()
        a, b, c, d = widths
        self.body = nn.Sequential(
            conv(3, a, 3, 2),           # 24 x 64
            Residual(a),
            conv(a, b, 3, 2),           # 12 x 32
            Residual(b),
            conv(b, c, 3, 1),
            nn.Sequential(Residual(c), Residual(c, quiet=True)),
            conv(c, d, 3, (2, 1)),      # 6 x 32
            nn.Sequential(Residual(d), Residual(d, quiet=True), Residual(d, quiet=True)),
        )
        self.look = nn.Conv2d(d, SLOTS, 1)
        self.place = nn.Parameter(torch.zeros(LAYOUTS, SLOTS, GRID_H, GRID_W))
        self.mix = nn.Linear(d, 112)
        self.slot = nn.Parameter(torch.randn(1, SLOTS, 112) * 0.1)
        self.characters = nn.Linear(112, len(ALPHABET))
        self.plate = nn.Sequential(nn.Linear(d, 32), nn.ReLU(inplace=True))
        self.plate_class = nn.Linear(32, len(CLASSES))
        self.rows = nn.Linear(32, 2)
        self.layout = nn.Linear(32, LAYOUTS)
        self.edge = nn.Sequential(conv(d, 16, 1), nn.Flatten(), nn.Linear(16 * GRID_H * GRID_W, 48), nn.ReLU(inplace=True))
        self.corners = nn.Linear(48, 8)
        nn.init.zeros_(self.corners.weight)
        nn.init.zeros_(self.corners.bias)
        with torch.no_grad():  # start each slot looking near its place
            self.place.copy_(_places())

    def forward(self, x):
        """Logits: characters [N,9,A], class [N,5], rows [N,2]; corners [N,8]: how far each of the plate's
        corners lies from where the crop has it, x and y in shares of the crop's width."""
        f = self.body((x - 0.45) / 0.27)
        n = f.shape[0]
        whole = self.plate(f.mean((2, 3)))
        place = (self.layout(whole).softmax(1) @ self.place.flatten(1)).view(n, SLOTS, -1)
        look = (self.look(f).flatten(2) + place).softmax(2)
        seen = look @ f.flatten(2).transpose(1, 2)
        chars = self.characters(F.relu(self.mix(seen) + self.slot))
        return chars, self.plate_class(whole), self.rows(whole), self.corners(self.edge(f)) * 0.1


class Detector(nn.Module):
    """Picture to a plate-centre heat map per number of rows and four corner offsets, stride 8."""

    def __init__(self, widths=(16, 16, 32, 64, 96)):
        super().__init__()
        s2, s4, s8, s16, s32 = widths
        self.s4 = nn.Sequential(conv(3, s2, 3, 2), conv(s2, s4, 3, 2))
        self.s8 = nn.Sequential(conv(s4, s8, 3, 2), Residual(s8))
        self.s16 = nn.Sequential(conv(s8, s16, 3, 2), Residual(s16))
        self.s32 = nn.Sequential(conv(s16, s32, 3, 2), Residual(s32), conv(s32, s16, 1))
        self.join16 = conv(s16, s16)
        self.down16 = conv(s16, s8, 1)
        self.join8 = conv(s8, s8)
        self.head = conv(s8, 48)
        self.score = nn.Conv2d(48, 2, 1)
        self.corners = nn.Conv2d(48, 8, 1)
        nn.init.constant_(self.score.bias, -4.6)

    def forward(self, x):
        """Score logits [N,2,H/8,W/8] and corner offsets in pixels from the cell's centre."""
        s8 = self.s8(self.s4((x - 0.45) / 0.27))
        s16 = self.s16(s8)
        up = F.interpolate(self.s32(s16), scale_factor=2.0, mode="nearest")
        s16 = self.join16(s16 + up)
        s8 = self.join8(s8 + F.interpolate(self.down16(s16), scale_factor=2.0, mode="nearest"))
        f = self.head(s8)
        with torch.autocast(x.device.type, enabled=False):  # corners need more than 8 bits of mantissa
            f = f.float()
            return self.score(f), self.corners(f) * 32.0


def averaged(net: nn.Module) -> torch.optim.swa_utils.AveragedModel:
    """Weights averaged over the last few hundred steps; over fewer at the start, so that short trainings show too."""
    def follow(average, now, steps):
        return average + (now - average) * max(0.003, float(9 / (10 + steps)))
    return torch.optim.swa_utils.AveragedModel(net, avg_fn=follow, use_buffers=True)


def half_precision(device: str) -> torch.autocast:
    """Training in bfloat16 where the processor has instructions for it; elsewhere 16 bits are slower than 32."""
    kind = device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or torch.cpu._is_avx512_bf16_supported())


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
