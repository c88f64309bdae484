"""速度的记录读成表：几行手写的记录，表里该是什么，照着数。"""

from vision_attention.measure import speed_tables

MACHINE = {
    "processor": "甲",
    "cores": 2,
    "system": "Linux x86_64",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0"},
    "date": "2026-01-02",
}


def peer(module, low, high, *, fastest="timm", mode="inference", batch=1, **more):
    """一格与同行相比的记录。"""
    return {
        "module": module,
        "mode": mode,
        "batch": batch,
        "seconds": {"ours": 0.002, fastest: 0.004},
        "fastest": fastest,
        "ratio": 0.5,
        "quartiles": [low, high],
        **more,
    }


def test_machine_line():
    assert speed_tables.machine_line({"machine": MACHINE}) == (
        "机器：甲，2 核，用 1 个线程；Linux x86_64，Python 3.11.7；"
        "torch 2.13.0；2026-01-02。"
    )


def test_peer_table_and_tally():
    alone = {
        "module": "丙",
        "mode": "training",
        "batch": 64,
        "seconds": {"ours": 0.01234},
    }
    found = [
        peer("甲", 0.4, 0.6),
        peer("乙", 1.1, 1.3, mode="step", batch=64, machine=MACHINE),
        peer("乙", 0.9, 1.1),
        peer("自比", 1.1, 1.2, fastest="自己"),
        alone,
    ]
    table = speed_tables.peer_table({"rows": found}, ["甲", "丁"])
    # 区间里看不见的字符只管折行
    lines = table.replace("\u2060", "").splitlines()
    assert (
        lines[0]
        == "| 模块 | 同行 | 推理，1 张 | 推理，64 张 | 训练，1 张 | 训练，64 张 |"
    )
    assert lines[2:] == [
        "| `甲` | timm | 0.50（0.40–0.60） | – | – | – |",
        "| `乙` | timm | 0.50（0.90–1.10） | – | – | **0.50**（1.10–1.30） |",
        "| `自比` | 自己 | **0.50**（1.10–1.20） | – | – | – |",
        "| `丙` | 没有 | – | – | – | 12.3 ms |",
        "| `丁` | 没有量 | – | – | – | – |",
    ]
    told = speed_tables.peer_tally({"rows": found})
    assert told.startswith(
        "共 3 格有同行可比，快的 1 格，慢的 1 格（粗体），其余 1 格分不出快慢。"
    )
    assert speed_tables.peer_tally({"rows": found[:1]}) == (
        "共 1 格有同行可比，快的 1 格，没有一格慢，其余 0 格分不出快慢。"
    )
    assert told.count("后来量的") == 1
    assert "`乙` 是后来量的。机器：甲" in told


def wing(name, plain, switched, **choices):
    """一种处理器上的两翼之比：Paddle 照原样与换了设置各几张一秒。"""

    def setting(speed, ratio):
        return {
            "models": [{"images_per_second": {"torch": 100, "paddle": speed}}],
            "parts": [{"name": "ReLU", "ratio": ratio}],
            **{k: [{"name": "取最大", "ratio": v / speed}] for k, v in choices.items()},
        }

    found = {"plain": setting(plain, 1.5), "switched": setting(switched, 2.25)}
    return {"machine": MACHINE | {"processor": name}, **found}


def test_the_wings_side_by_side():
    labels = {"plain": "原样", "switched": "换过"}
    wings = {"machines": [wing("甲", 50, 80, choices=20), wing("乙", 40, 20)]}
    assert speed_tables.part_table(wings, labels).splitlines()[::2] == [
        "| 运算 | 甲，原样 | 甲，换过 | 乙，原样 | 乙，换过 |",
        "| ReLU | 1.5 倍 | 2.2 倍 | 1.5 倍 | 2.2 倍 |",
    ]
    # 甲上换过的快，取换过的那一份：80 / 20；乙没有量
    assert speed_tables.choice_table(wings, labels).splitlines()[::2] == [
        "| 运算 | 甲 |",
        "| 取最大 | 4.0 倍 |",
    ]


def test_growth_is_told_against_the_first_row():
    base = {"axis": "起点", "tokens": 5, "embed_dim": 8, "depth": 2, "batch": 4}
    base |= {"macs": 100, "bytes": 2**20}
    more = base | {"axis": "宽", "embed_dim": 16, "macs": 400, "bytes": 3 * 2**20}
    found = [
        row | {"wing": wing, "seconds": seconds}
        for wing, times in {"torch": (0.1, 0.3), "paddle": (0.2, 0.5)}.items()
        for row, seconds in zip((base, more), times, strict=True)
    ]
    table, start = speed_tables.growth_table({"rows": found}).split("\n\n")
    assert table.splitlines()[::2] == [
        "| 改什么 | 乘加 | PyTorch 时间 | Paddle 时间 | PyTorch 内存 | Paddle 内存 |",
        "| 宽：8 → 16 | 4.00 | 3.00 | 2.50 | 3.00 | 3.00 |",
    ]
    assert start == (
        "起点：5 个 token、宽 8、2 块、4 张；"
        "PyTorch 100 ms、1 MiB；Paddle 200 ms、1 MiB。"
    )
