"""网格上的几何：哪些 token 互相看得见、相距多远、各在哪里。token 按行优先编号。"""

from __future__ import annotations

import numpy as np

from vision_attention import checks


def token_distance(grid: int) -> np.ndarray:
    """两两 token 的欧氏距离。

    形状: 返回 (N, N)，N = grid²
    参数: grid 为每边的 token 数
    单位: token（乘以 patch_size 即为像素）
    """
    rows, columns = _places(grid)
    points = np.stack([rows, columns], 1).astype(np.float32)
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def window_mask(grid: int, window: int, class_token: bool = False) -> np.ndarray:
    """窗口掩码：每个 token 只看以自己为中心的 window × window 个邻居。

    形状: 返回布尔 (N, N)，真表示看得见；有分类 token 时 N = grid² + 1，
        分类 token 排在最前，看得见所有 token，也被所有 token 看见
    参数: grid 为每边的 token 数；window 为窗口宽（奇数）
    错误: window 为偶数时抛出 ValueError
    """
    reach = checks.odd("window", window) // 2
    checks.flag("class_token", class_token)
    rows, columns = _places(grid)
    near_row = np.abs(rows[:, None] - rows[None]) <= reach
    near_column = np.abs(columns[:, None] - columns[None]) <= reach
    mask = near_row & near_column
    return np.pad(mask, (1, 0), constant_values=True) if class_token else mask


def self_excluded(num_tokens: int) -> np.ndarray:
    """对角掩码：每个 token 看得见除自己之外的所有 token。

    形状: 返回布尔 (N, N)
    错误: 只有一个 token 时抛出 ValueError（它谁也看不见）
    """
    num_tokens = checks.not_alone(num_tokens)
    checks.within("num_tokens", num_tokens**2, "掩码")
    return ~np.eye(num_tokens, dtype=bool)


def sincos_2d(grid: int, embed_dim: int) -> np.ndarray:
    """二维正弦余弦位置编码：一半宽度给行，一半给列。

    形状: 返回 float32 (N, D)
    参数: grid 为每边的 token 数；embed_dim 即 D，应为 4 的倍数
    错误: embed_dim 不是 4 的倍数时抛出 ValueError
    出处: Vaswani 等 2017，§3.5 的一维式子对行、列各用一次；10000 是该文的底数
    """
    quarter = checks.quarter(embed_dim)
    rows, columns = _places(grid)
    checks.within("embed_dim", len(rows) * embed_dim, "位置编码")
    frequency = 10000.0 ** (-np.arange(quarter) / quarter)
    angles = [axis[:, None] * frequency for axis in (rows, columns)]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.concatenate(waves, 1).astype(np.float32)


def sincos_1d(grid: int, embed_dim: int) -> np.ndarray:
    """一维正弦余弦位置编码：只看行优先的编号，不分行列。

    形状: 返回 float32 (N, D)，N = grid²
    参数: grid 为每边的 token 数；embed_dim 即 D，应为 4 的倍数，与 sincos_2d 相同
    错误: embed_dim 不是 4 的倍数时抛出 ValueError
    出处: Vaswani 等 2017，§3.5；该文正弦与余弦交错排，这里各占一半
    """
    half = 2 * checks.quarter(embed_dim)
    numbers = np.arange(len(_places(grid)[0]))
    checks.within("embed_dim", len(numbers) * embed_dim, "位置编码")
    angles = numbers[:, None] * 10000.0 ** (-np.arange(half) / half)
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)


def _places(grid: int) -> tuple[np.ndarray, np.ndarray]:
    """每个 token 的行与列。"""
    grid = checks.positive("grid", grid)
    checks.within("grid", grid**4, "两两 token 的表")
    return np.divmod(np.arange(grid * grid), grid)
