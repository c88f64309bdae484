"""这座房子：底层、两翼、屋顶，谁可以导入谁；以及一项研究的数据走过的路。

房间、层与箭头都从程序库的导入里数出来（rooms.py），与 test_house 检查的是同一份。
"""

from __future__ import annotations

from tools.figures import rooms
from tools.figures.kit import BLUE, GREEN, GREY, PURPLE, RED, Drawing
from vision_attention.plots import INK

MIDDLE, WIDE, ROW = 200.0, 372.0, 52.0
SIDES = ((104.0, "左翼 torch/", BLUE), (296.0, "右翼 paddle/", RED))
STEPS = (
    ("study.yaml", GREY, "问题：比什么，几个种子"),
    ("Run", PURPLE, "一次运行，冻结了不再变"),
    ("data.load()", GREEN, "NumPy 数组，按种子划分"),
    ("training.fit()", BLUE, "任一翼，收到同一批字节"),
    ("records.jsonl", GREY, "一次运行，一行记录"),
    ("studies.summary()", PURPLE, "均值、区间、配对的差"),
    ("plots", GREEN, "章里的图与表"),
)


def on_roof(name: str) -> bool:
    """是不是屋顶上的房间。"""
    return name.partition("/")[0] in rooms.ROOF


def parts() -> tuple[rooms.Graph, rooms.Graph]:
    """屋顶与底层各自的箭头；研究的门面只转出名字，不画。"""
    graph = rooms.arrows()
    roof = {name for name in graph if on_roof(name)} - {"studies"}
    ground = {name for name in graph if not on_roof(name)} - set(rooms.WINGS)
    return tuple({name: graph[name] & part for name in part} for part in (roof, ground))


def house() -> str:
    """上半是房子，箭头表示“导入”，只朝下；下半是数据的路，自上而下。"""
    roof, ground = parts()
    wings_at = 76 + ROW * (max(rooms.floors(roof).values()) + 1) + 50
    ground_at = wings_at + 282
    shelves = list(_shelves(ground))
    way_at = ground_at + 40 + 36 * len(shelves) + 52
    d = Drawing(
        way_at + 46 * len(STEPS) + 6,
        "房子：底层、两翼、屋顶",
        "书与笔记本从外面导入程序库；屋顶上是研究的几间、批改、命令行、互通与选翼；"
        "两翼互为镜像，互不导入；底层不认识框架。箭头只朝下，没有圈。"
        "数据从 study.yaml 经运行、训练、记录、统计走到书里的图与表",
    )
    d.box(MIDDLE, 24, WIDE, "书 book/ · 笔记本 notebooks/", GREY)
    d.line((MIDDLE, 39), (MIDDLE, 58))
    _roof(d, roof, 60)
    for x, name, color in SIDES:
        d.line((x, wings_at - 40), (x, wings_at - 4))
        _wing(d, x, wings_at, name, color)
        d.line((x, wings_at + 240), (x, ground_at - 4))
    d.text(MIDDLE, wings_at - 22, "用到时才载入", size=12)
    d.text(MIDDLE, wings_at + 130, "=", size=16)
    d.text(MIDDLE, wings_at + 260, "只朝下", size=12)
    _ground(d, shelves, ground_at)
    _way(d, way_at)
    return d.svg()


def _roof(d: Drawing, graph: rooms.Graph, top: float) -> None:
    """屋顶：一层一排，只画去掉绕路之后的箭头。"""
    floors = rooms.floors(graph)
    highest = max(floors.values())
    d.frame(MIDDLE, top + ROW * (highest + 1) / 2 + 12, WIDE, ROW * (highest + 1) + 24)
    d.text(
        MIDDLE, top + 11, "屋顶：研究、批改、命令行、互通，以及挑一翼的一间", size=12
    )
    arrows, place = rooms.nearest_only(graph), {}
    for floor in range(highest + 1):
        row = sorted(name for name in floors if floors[name] == floor)
        row.sort(key=lambda name: _middle(arrows[name], place))
        y = top + 44 + ROW * (highest - floor)
        for k, name in enumerate(row):
            place[name] = (14 + WIDE * (k + 0.5) / len(row), y)
    for name, (x, y) in place.items():
        for target in sorted(arrows[name]):
            end_x, end_y = place[target]
            d.line((x, y + 15), (end_x, end_y - 15))
    for name, (x, y) in place.items():
        d.box(x, y, 116, _words(name), PURPLE)


def _middle(targets: set[str], place: dict[str, tuple[float, float]]) -> float:
    """一间要指向的几间的正中；谁也不指的不挪动。"""
    known = [place[target][0] for target in targets]
    return sum(known) / len(known) if known else MIDDLE


def _words(name: str) -> str:
    """房间的名字；零宽的空格拦住下标：这里的下划线是名字的一部分。"""
    return name.replace("_", "_\u200b")


def _wing(d: Drawing, x: float, top: float, name: str, color: str) -> None:
    models = [_words(name) for name in rooms.MODELS if name != "models"]
    d.frame(x, top + 120, 180, 240, color)
    d.text(x, top + 16, name, size=13)
    d.box(x, top + 44, 160, "training", color)
    d.text(x, top + 69, "收到模型，不导入模型", size=12)
    d.box(x, top + 96, 160, " · ".join(models[:3]), color)
    d.box(x, top + 130, 160, " · ".join(models[3:]), color)
    d.line((x, top + 145), (x, top + 159))
    init, *others = map(_words, rooms.PARTS)
    d.box(x, top + 174, 160, " · ".join(others), color)
    d.line((x, top + 189), (x, top + 203))
    d.box(x, top + 218, 160, init, color)


def _shelves(graph: rooms.Graph) -> list[tuple[int, list[str]]]:
    """底层的房间排成行：上面的导入下面的；一行放不下的折到下一行。"""
    floors = rooms.floors(graph)
    lines: list[tuple[int, list[str]]] = []
    for floor in sorted(set(floors.values()), reverse=True):
        lines.append((floor, []))
        for name in sorted(name for name in floors if floors[name] == floor):
            if sum(map(_width, [*lines[-1][1], name])) > WIDE - 32:
                lines.append((floor, []))
            lines[-1][1].append(name)
    return lines


def _width(name: str) -> float:
    """一个房间的框连同右边的空隙占多宽。"""
    return 7.4 * len(name) + 22


def _ground(d: Drawing, lines: list[tuple[int, list[str]]], top: float) -> None:
    d.frame(MIDDLE, top + 20 + 18 * len(lines), WIDE, 36 + 36 * len(lines), GREEN)
    d.text(MIDDLE, top + 16, "底层：NumPy，不认识任何框架，也不认识楼上", size=12)
    for k, (floor, names) in enumerate(lines):
        y, x = top + 46 + 36 * k, 42.0
        if not k or lines[k - 1][0] != floor:
            d.text(29, y, str(floor), size=12)
        for name in names:
            wide = _width(name) - 6
            d.box(x + wide / 2, y, wide, _words(name), GREEN)
            x += wide + 6


def _way(d: Drawing, top: float) -> None:
    d.text(MIDDLE, top - 12, "一项研究的数据走过的路", size=13, fill=INK)
    for k, (name, color, words) in enumerate(STEPS):
        y = top + 16 + 46 * k
        d.box(95, y, 150, name, color)
        d.left(186, y, words, size=12.5)
        if k:
            d.line((95, y - 31), (95, y - 15))
