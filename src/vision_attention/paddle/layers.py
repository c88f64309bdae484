"""换一条更快的路算同样的数，从外面看不出来。

- `untouched`：没有人在看，也没有人动过，才可以绕开一层自己的 forward
- `triples`、`narrow`：全连接与层归一化是不是这样的大小
- `part`：全连接的输出只算一段
- `patch_convolution`：切块并投影的卷积
"""

from __future__ import annotations

from collections.abc import Iterable

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from .kernels import cut_patches, split_last


def untouched(layers: Iterable[nn.Layer]) -> bool:
    """没有人在看，也没有人动过：不调用这些层，外面察觉不到。

    参数: layers 只看它们自己，不看孩子；类型由调用的一方核对
    返回: 没有钩子（全局的也算），实例上也没有另写的 forward 时为真
    """
    for layer in layers:
        own = layer.__dict__
        # to_static 之类写在实例上
        if own["_forward_pre_hooks"] or own["_forward_post_hooks"] or "forward" in own:
            return False
    return True


def triples(layer: nn.Linear, width: int) -> bool:
    """输出宽 3·width，权重就是普通的张量：有的量化只换张量，不换层。"""
    return layer.weight.shape[1] == 3 * width


def narrow(norm: nn.LayerNorm) -> bool:
    """逐个 token 归一化，不跨 token。"""
    return len(norm._normalized_shape) == 1


def part(layer: nn.Linear, x: Tensor, start: int, stop: int) -> Tensor:
    """全连接，输出只算第 start 到 stop 列。

    形状: x (B, N, D) → (B, N, stop − start)
    参数: layer 为普通的全连接
    """
    bias = None if layer.bias is None else layer.bias[start:stop]
    return F.linear(x, layer.weight[:, start:stop], bias)


def patch_convolution(in_channels: int, embed_dim: int, patch_size: int) -> nn.Conv2D:
    """切块并投影的卷积：步长等于核宽。

    形状: x (B, C, S, S) → (B, D, S / P, S / P)
    参数: in_channels 即 C；embed_dim 即 D；patch_size 即 P
    """
    return PatchConv2D(in_channels, embed_dim, patch_size, stride=patch_size)


class PatchConv2D(nn.Conv2D):
    """步长等于核宽的卷积，结果与 nn.Conv2D 相同；写成一次矩阵乘。

    形状: x (B, C, S, S) → (B, D, S / P, S / P)
    出处: 块不重叠，卷积就是逐块的全连接
    """

    def forward(self, x: Tensor) -> Tensor:
        grid = x.shape[-1] // self.weight.shape[-1]
        patches = cut_patches(x, grid)  # (B, N, C·P·P)
        tokens = paddle.matmul(patches, self.weight.flatten(1), transpose_y=True)
        maps = (tokens + self.bias).transpose((0, 2, 1))
        return split_last(maps, (grid, grid))
