"""这座房子：底层、两翼、屋顶，谁可以导入谁；以及一项研究的数据走过的路。"""

from __future__ import annotations

from kit import BLUE, GREEN, GREY, PURPLE, RED, Drawing

from vision_attention.plots import INK

LEFT, MIDDLE, RIGHT = 80.0, 200.0, 320.0
WINGS = ((104.0, "左翼 torch/", BLUE), (296.0, "右翼 paddle/", RED))
STEPS = (
    ("study.yaml", GREY, "问题：比什么，几个种子"),
    ("Run", PURPLE, "一次运行，冻结了不再变"),
    ("data.load()", GREEN, "NumPy 数组，按种子划分"),
    ("training.fit()", BLUE, "任一翼，收到同一批字节"),
    ("records.jsonl", GREY, "一次运行，一行记录"),
    ("studies.summary()", PURPLE, "均值、区间、配对的差"),
    ("plots", GREEN, "章里的图与表"),
)


def house() -> str:
    """上半是房子，箭头表示“导入”，只朝下；下半是数据的路，自上而下。"""
    d = Drawing(
        876,
        "房子：底层、两翼、屋顶",
        "书与笔记本从外面导入程序库；屋顶上的 studies、interop、cli 导入两翼；"
        "两翼互为镜像，互不导入；底层不认识框架。"
        "数据从 study.yaml 经运行、训练、记录、统计走到书里的图与表",
    )
    _roof(d)
    for x, name, color in WINGS:
        _wing(d, x, name, color)
    d.text(MIDDLE, 280, "=", size=16)
    _ground(d)
    _way(d, 556)
    return d.svg()


def _roof(d: Drawing) -> None:
    d.box(MIDDLE, 24, 372, "书 book/ · 笔记本 notebooks/", GREY)
    d.line((MIDDLE, 39), (MIDDLE, 64))
    d.text(212, 51, "只从外面看进来", size=12, text_anchor="start")
    d.frame(MIDDLE, 100, 372, 72, PURPLE)
    d.text(MIDDLE, 79, "屋顶：选择一翼 · 连通两翼 · 门铃", size=12)
    for x, name in ((LEFT, "studies/"), (MIDDLE, "interop"), (RIGHT, "cli/")):
        d.box(x, 110, 104, name, PURPLE)
    for x, _, _ in WINGS:
        d.line((x, 136), (x, 166))
    d.text(MIDDLE, 151, "用到时才载入", size=12)


def _wing(d: Drawing, x: float, name: str, color: str) -> None:
    d.frame(x, 276, 180, 220, color)
    d.text(x, 184, name, size=13)
    d.box(x, 214, 160, "training", color)
    d.text(x, 239, "收到模型，不导入模型", size=12)
    d.box(x, 268, 160, "vit · resnet · mobile", color)
    d.line((x, 283), (x, 297))
    # 零宽的空格拦住下标：这里的下划线是名字的一部分
    d.box(x, 312, 160, "gates · self_\u200battention", color)
    d.line((x, 327), (x, 341))
    d.box(x, 356, 160, "init", color)
    d.line((x, 386), (x, 412))


def _ground(d: Drawing) -> None:
    d.text(MIDDLE, 399, "只朝下", size=12)
    d.frame(MIDDLE, 466, 372, 108, GREEN)
    d.text(MIDDLE, 427, "底层：NumPy，不认识任何框架，也不认识楼上", size=12)
    for y, names in (
        (454, ("specs · config", "data · augment", "schedules")),
        (494, ("records", "plots/", "checks/")),
    ):
        for x, name in zip((LEFT, MIDDLE, RIGHT), names, strict=True):
            d.box(x, y, 112, name, GREEN)


def _way(d: Drawing, top: float) -> None:
    d.text(MIDDLE, top - 12, "一项研究的数据走过的路", size=13, fill=INK)
    for k, (name, color, words) in enumerate(STEPS):
        y = top + 16 + 46 * k
        d.box(95, y, 150, name, color)
        d.left(186, y, words, size=12.5)
        if k:
            d.line((95, y - 31), (95, y - 15))
