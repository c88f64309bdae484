"""自注意力的四步：三个 token 的小例子，方格深浅由真的算出来的数决定。"""

from __future__ import annotations

import numpy as np

from tools.figures.kit import BLUE, GREEN, GREY, PURPLE, RED, Drawing

# 与正文手算的例子相同：三个 token，每个有横、竖、墨、常数四个特征；D = K = 4
TOKENS = np.array([[2, 0, 1, 1], [0, 2, 0, 1], [0, 0, 1, 1]])
PROJECTIONS = {
    "q": np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]),
    "k": np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]),
    "v": 3 * np.eye(4, dtype=int),
}
COLORS = {"q": BLUE, "k": RED, "v": GREEN}
NAMES = {"q": "查询 q", "k": "键 k", "v": "值 v"}


def steps() -> dict[str, np.ndarray]:
    """四步各自的结果：q、k、v，打分，权重，输出。"""
    parts = {name: TOKENS @ matrix for name, matrix in PROJECTIONS.items()}
    scores = parts["q"] @ parts["k"].T / np.sqrt(4)
    exponents = np.exp(scores - scores.max(1, keepdims=True))
    weights = exponents / exponents.sum(1, keepdims=True)
    output = weights @ parts["v"]
    return parts | {"scores": scores, "weights": weights, "output": output}


def four_steps() -> str:
    """自注意力的四步，自上而下。"""
    d = Drawing(
        718,
        "自注意力的四步",
        "输入表示转换得到查询、键、值；查询与键的点积除以根号 K 得到打分；"
        "按行 softmax 归一化为权重；用权重对值加权求和",
    )
    values = steps()
    _transform(d, 22, values)
    _score(d, 226, values)
    _normalize(d, 376, values)
    _sum(d, 536, values)
    d.text(200, 688, "多头：A 个头各做一遍 ②–④，再拼回 D 维", size=12)
    d.text(200, 706, "每个头的宽度 K = D / A", size=12)
    return d.svg()


def _header(d: Drawing, y: float, number: str, title: str) -> None:
    d.rect(22, y, 24, 24, GREY, radius=12)
    d.text(22, y, number, fill="#fff")
    d.left(42, y, title, size=15)


def _shade(matrix: np.ndarray) -> np.ndarray:
    return matrix / matrix.max()


def _transform(d: Drawing, y: float, values: dict[str, np.ndarray]) -> None:
    _header(d, y, "1", "输入表示转换")
    middle = y + 90
    d.grid(54, middle, _shade(TOKENS), GREY)
    d.text(54, middle - 38, "输入 x")
    d.text(54, middle + 38, "[B, N, D]", size=12)
    d.text(54, middle + 66, "每个 W：[D, K]", size=12)
    d.line((90, middle), (108, middle), head=False)
    for k, name in enumerate("qkv"):
        row = middle + 56 * (k - 1)
        d.line((108, middle), (108, row), (128, row))
        d.box(164, row, 72, f"× W_{name}", COLORS[name])
        d.line((200, row), (226, row))
        d.grid(262, row, _shade(values[name]), COLORS[name])
        d.left(304, row - 9, NAMES[name], "[B, N, K]")


def _score(d: Drawing, y: float, values: dict[str, np.ndarray]) -> None:
    _header(d, y, "2", "权重计算：每个查询与每个键比一比")
    row = y + 60
    d.grid(54, row, _shade(values["q"]), BLUE)
    d.text(54, row + 40, "q [B, N, K]", size=12)
    d.text(100, row, "·", size=18)
    d.grid(142, row, _shade(values["k"].T), RED)
    d.text(142, row + 48, "k 转置 [B, K, N]", size=12)
    d.text(200, row, "÷ √K", size=15)
    d.line((228, row), (256, row))
    d.grid(290, row, _shade(values["scores"]), PURPLE)
    d.text(290, row + 40, "打分 [B, N, N]", size=12)


def _normalize(d: Drawing, y: float, values: dict[str, np.ndarray]) -> None:
    _header(d, y, "3", "归一化：每行变成和为 1 的权重")
    row = y + 60
    d.grid(54, row, _shade(values["scores"]), PURPLE)
    d.text(54, row + 40, "打分", size=12)
    d.line((84, row), (110, row))
    d.box(160, row, 100, "按行 softmax", PURPLE)
    d.line((210, row), (234, row))
    for (r, c), value in np.ndenumerate(values["weights"]):
        x, y = 290 + 34 * (c - 1), row + 26 * (r - 1)
        d.outline(x, y, 32, 24, PURPLE)
        d.text(x, y, f"{value:.2f}", size=12)
    d.text(290, row + 52, "权重 [B, N, N]", size=12)


def _sum(d: Drawing, y: float, values: dict[str, np.ndarray]) -> None:
    _header(d, y, "4", "加权求和：按权重把值混在一起")
    row = y + 66
    d.grid(54, row, values["weights"], PURPLE)
    d.text(54, row + 40, "权重 [B, N, N]", size=12)
    d.text(92, row, "·", size=18)
    d.grid(142, row, _shade(values["v"]), GREEN)
    d.text(142, row + 40, "v [B, N, K]", size=12)
    d.line((186, row), (250, row))
    d.grid(290, row, _shade(values["output"]), GREEN)
    d.text(290, row + 40, "输出 [B, N, K]", size=12)
