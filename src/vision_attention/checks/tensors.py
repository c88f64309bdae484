"""前向的输入：张量的形状、数据类型与个数。

追踪、导出、编译时，大小可以不是一个数：那样的大小不检查，图才不会把它记成常数。
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vision_attention.checks.values import ArgumentError


def sizes(x: Any) -> tuple[int | None, ...]:
    """各维的大小；画图时还不是一个数的，写成 None。"""
    return tuple(known(size) for size in x.shape)


def known(size: Any) -> int | None:
    """确定的大小原样返回；不是整数的，或是静态图里的 −1，返回 None。"""
    return size if type(size) is int and size >= 0 else None


def tensor(x: Any) -> None:
    """张量；NumPy 数组要先换成框架的张量。

    错误: 不是张量时抛出 ArgumentError
    """
    try:  # 不用 hasattr：torch.compile 的旧版画不进图
        x.is_floating_point  # noqa: B018
    except AttributeError:
        raise ArgumentError(
            f"x 是 {type(x).__name__}，不是张量；请先换成张量："
            "torch.from_numpy(x) 或 paddle.to_tensor(x)",
            "x",
        ) from None


def floating(x: Any) -> None:
    """浮点张量：整数会被悄悄提升或截断，所以不收。

    错误: 不是张量，或数据类型不是浮点时抛出 ArgumentError
    """
    tensor(x)
    if not x.is_floating_point():
        not_floating(x)


def not_floating(x: Any) -> None:
    """数据类型不是浮点。

    错误: 总是抛出 ArgumentError
    """
    raise ArgumentError(
        f"x 的数据类型是 {x.dtype}，应为浮点；"
        "请先换算，例如 x.astype('float32') / 255（NumPy）后再转成张量",
        "x",
    )


def other_dtype(got: Any, wanted: Any) -> None:
    """输入与权重的数据类型不同。

    错误: 总是抛出 ArgumentError
    """
    got, wanted = (str(name).rpartition(".")[2] for name in (got, wanted))
    raise ArgumentError(
        f"x 的数据类型是 {got}，而模块的权重是 {wanted}；请换成同一种："
        f"x.to({wanted})，或把整个模块也换成 {got}",
        "x",
    )


def no_kernel(dtype: Any) -> None:
    """PaddlePaddle 在 CPU 上没有半精度的核。

    错误: 总是抛出 ArgumentError
    """
    name = str(dtype).rpartition(".")[2]
    raise ArgumentError(
        f"x 的数据类型是 {name}，PaddlePaddle 在 CPU 上没有它的核；"
        "请换成 float32：x.astype('float32')，模块也一样；或放到 GPU 上",
        "x",
    )


def feature_map(x: Any, in_channels: int) -> None:
    """特征图：四维浮点 (B, C, H, W)，且 C 与构造时一致。

    错误: 不是张量，维数、通道数或数据类型不对时抛出 ArgumentError
    """
    tensor(x)
    shape = x.shape
    if len(shape) != 4:
        raise ArgumentError(
            f"x 的形状是 {sizes(x)}，共 {len(shape)} 维；应为四维 (B, C, H, W)。"
            "单张图请先加上批次一维：x.unsqueeze(0)",
            "x",
        )
    _, channels, height, width = shape
    if in_channels and known(channels) not in (None, in_channels):
        raise ArgumentError(
            f"x 有 {channels} 个通道，而构造时 in_channels={in_channels}；"
            f"请改成 in_channels={channels}，或检查 x 是否为 (B, C, H, W)",
            "x",
        )
    if known(height) == 0 or known(width) == 0 or known(channels) == 0:
        raise ArgumentError(
            f"x 的形状是 {sizes(x)}，里面一个数也没有；通道、高与宽都应不小于 1", "x"
        )
    if not x.is_floating_point():
        not_floating(x)


def tokens(x: Any, embed_dim: int, bias: Any = None) -> None:
    """一串 token：三维浮点 (B, N, D)，且 D 与构造时一致。

    参数: embed_dim 为 0 时不看 D；bias 为由掩码换成的 (N, N)，None 表示没有掩码
    错误: 不是张量，维数、宽度、token 数或数据类型不对时抛出 ArgumentError
    """
    tensor(x)
    shape = x.shape
    if len(shape) != 3 or (embed_dim and known(shape[2]) not in (None, embed_dim)):
        wide = f"，D = embed_dim = {embed_dim}" if embed_dim else ""
        raise ArgumentError(
            f"x 的形状是 {sizes(x)}；应为三维 (B, N, D){wide}。"
            "特征图请先展平：x.flatten(2) 再交换后两维",
            "x",
        )
    if bias is not None and known(shape[1]) not in (None, bias.shape[0]):
        seen = bias.shape[0]
        raise ArgumentError(
            f"x 有 {shape[1]} 个 token，而掩码是 {seen}×{seen} 的；"
            f"请按 N={shape[1]} 重新构造（含分类 token）",
            "x",
        )
    floating(x)


def wide(x: Any, embed_dim: int) -> None:
    """逐 token 的运算：前面几维随意，最后一维是 D 的浮点张量 (…, D)。

    错误: 不是张量，最后一维或数据类型不对时抛出 ArgumentError
    """
    tensor(x)
    if not len(x.shape) or known(x.shape[-1]) not in (None, embed_dim):
        raise ArgumentError(
            f"x 的形状是 {sizes(x)}；最后一维应为 D = embed_dim = {embed_dim}", "x"
        )
    floating(x)


def image(x: Any, in_channels: int, image_size: int, patch_size: int = 1) -> None:
    """一批正方形图像：(B, C, S, S)，S 与模型的 image_size 一致。

    参数: patch_size 为 S 应能整除的数，只用来给出改法
    错误: 形状或数据类型不对时抛出 ArgumentError
    """
    feature_map(x, in_channels)
    height, width = known(x.shape[2]), known(x.shape[3])
    if height not in (None, image_size) or width not in (None, image_size):
        fits = height == width and height > 0 and height % patch_size == 0
        rebuild = f"，或用 image_size={height} 重新建模型、再训练" if fits else ""
        raise ArgumentError(
            f"x 是 {height}×{width} 的图，而模型的 image_size={image_size}，"
            "参数随图的大小定下，图不能换大小；"
            f"请先把图裁剪或缩放成 {image_size}×{image_size}{rebuild}",
            "x",
        )


def batch_norm_input(x: Any, averaging: Callable[[], bool], stride: int = 1) -> None:
    """训练时每个通道至少要有两个数，批归一化才有方差可算。

    形状: x (B, C, H, W)，缩小 stride 倍之后进批归一化
    参数: averaging 说批归一化此刻用不用这一批的方差；要看遍各层，所以最后才问
    错误: 用，而只有一张图、又缩成了 1×1 时抛出 ArgumentError
    """
    count, _, height, width = sizes(x)
    known_to_be_small = None not in (height, width) and max(height, width) <= stride
    if count == 1 and known_to_be_small and averaging():
        raise ArgumentError(
            "训练时 x 只有 1 张图，批归一化没有方差可算；"
            "请让一批至少有 2 张，或先切换到评估：model.eval()",
            "x",
        )


def several_pixels(x: Any) -> int:
    """特征图的像素数 H·W，至少为 2。

    错误: 只有一个像素时抛出 ArgumentError
    """
    pixels = x.shape[2] * x.shape[3]
    if known(pixels) in (0, 1):
        raise ArgumentError(
            "x 只有一个像素，没有方差可算；"
            "请把这个模块放在更靠前、图还没缩到 1×1 的位置",
            "x",
        )
    return pixels
