"""在别处一页用的两个小网络：U-Net 与检测器；nets_paddle.py 逐字对应。"""

import torch
from torch import nn
from torch.nn import functional as F


def conv(c, d):
    """卷积、批归一化、ReLU。"""
    layer = nn.Conv2d(c, d, 3, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(d), nn.ReLU())


def at(place, places, gate, sizes):
    """一处的门，每种通道数一道；没有选中这一处，就是什么也不做。"""
    make = gate if place in places else lambda _: nn.Identity()
    return nn.Sequential(*map(make, sizes))


class UNet(nn.Module):
    """缩小，放大，每一级拼上缩小之前的图；gate(c) 造一道 c 个通道的门。"""

    def __init__(self, gate, places=(), widths=(8, 16, 32)):
        super().__init__()
        above, below = widths[:-1], widths[1:]
        self.down = nn.Sequential(*map(conv, (3, *above), widths))
        self.up = nn.Sequential(*[conv(c + d, c) for c, d in zip(above, below)])
        self.encoder = at("编码", places, gate, widths)
        self.skip = at("跳接", places, gate, above)
        self.decoder = at("解码", places, gate, above)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        kept = []
        for level, down in enumerate(self.down):
            x = self.encoder[level](down(F.max_pool2d(x, 2) if level else x))
            kept.append(x)
        for level in reversed(range(len(self.up))):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[level](torch.concat([self.skip[level](kept[level]), x], 1))
            x = self.decoder[level](x)
        return self.head(x)


class Detector(nn.Module):
    """骨架三级，侧连对齐通道，颈自上而下相加，三级共用一个头。"""

    def __init__(self, gate, places=(), widths=(16, 32, 64), neck=16):
        super().__init__()
        same = [neck] * len(widths)
        self.stages = nn.Sequential(*map(conv, (3, *widths[:-1]), widths))
        self.lateral = nn.Sequential(*[nn.Conv2d(c, neck, 1) for c in widths])
        self.smooth = nn.Sequential(*map(conv, same, same))
        self.tower = conv(neck, neck)
        self.head = nn.Conv2d(neck, 5, 1)  # 一类，加四个框的数
        self.end = at("骨架", places, gate, widths)
        self.side = at("侧连", places, gate, same)
        self.merged = at("颈", places, gate, same)
        self.last = at("头", places, gate, [neck])

    def forward(self, x):
        kept, maps, above = [], [], 0
        for stage, gate in zip(self.stages, self.end):
            x = gate(stage(F.max_pool2d(x, 2)))
            kept.append(x)
        for level in reversed(range(len(kept))):
            above = self.side[level](self.lateral[level](kept[level])) + above
            maps.append(self.merged[level](self.smooth[level](above)))
            above = F.interpolate(above, scale_factor=2.0, mode="nearest")
        return [self.head(self.last(self.tower(x))) for x in maps]
