"""读者等多久：导入、第一批、结论、一本笔记本、搜索、翻页、第一次造书，每样带着上限。

make waits    打印并写进 benchmarks/waits.json；先 make book，要有 Chromium

导入与结论另起一个 Python，按处理器时间计，轮流跑几遍，与只导入框架的相比：比值
超过上限，退出码为 1。秒数的上限只印出来，机器有快有慢。造书的秒数是上一次造书时自己
写下的，这里不重造。
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from datetime import datetime

import timing
import yaml

from tools.build import notebooks, toc
from tools.build.workplace import RECORD, ROOT, SITE
from tools.site import chrome
from tools.site.server import serving
from vision_attention.measure.timing import ratio

ROUNDS = 5
PACKAGES = ("torch", "paddlepaddle", "numpy", "scipy")
NAMES = {"torch": "PyTorch", "paddle": "PaddlePaddle"}
NOTEBOOK = "self_attention"
SUMMARY = "from vision_attention import studies; studies.summary('complexity')"
FIRST = """
from vision_attention import data, specs
from vision_attention.{0}.models import build
from vision_attention.{0}.training import batches, build_optimizer, train_step
from vision_attention.training.config import TrainConfig
config = TrainConfig()
images, targets = next(batches(data.load("digits"), config))
model = build(specs.named("small_cnn", image_size=8, in_channels=1))
train_step(model, build_optimizer(model, config), images, targets, config)
"""
BUILD = {
    "torch": "torch.optim.AdamW(torch.nn.Linear(2, 2).parameters())",
    "paddle": "paddle.optimizer.AdamW(parameters=paddle.nn.Linear(2, 2).parameters())",
}
# 名字: 代码、与谁比、秒数的上限、比值的上限
PROGRAMS = {"一项研究的结论": (SUMMARY, "只导入 PyTorch", 2, 1.0)}
for wing, name in NAMES.items():
    bare, ours = f"只导入 {name}", f"导入 {name} 一翼"
    PROGRAMS[bare] = (f"import {wing}", None, 5, None)
    PROGRAMS[ours] = (f"import vision_attention.{wing}", bare, 5, 1.3)
    more = f"{bare}、建一个优化器"
    PROGRAMS[more] = (f"import {wing}; {BUILD[wing]}", None, 8, None)
    PROGRAMS[f"{ours}，到第一批训练完"] = (FIRST.format(wing), more, 8, 1.3)

OPEN = """async () => {
  const start = performance.now();
  await bookSearch.ready();
  return (performance.now() - start) / 1000;
}"""
TYPED = """async query => {
  const [box, status] = ["input", ".hit-status"].map(
    part => document.querySelector(`#pst-search-dialog ${part}`));
  const shown = new Promise(done => {
    const all = { childList: true, characterData: true, subtree: true };
    new MutationObserver(done).observe(status, all);
    setTimeout(done, 5000);
  });
  const start = performance.now();
  box.value = query;
  box.dispatchEvent(new Event("input"));
  await shown;
  return (performance.now() - start) / 1000;
}"""
TURNED = """() => new Promise(done => setTimeout(() =>
  done(performance.getEntriesByType("navigation")[0].duration / 1000)))"""


def elapsed(code: str) -> float:
    """另起一个 Python 跑 code，返回它用的处理器时间。

    单位: 秒
    """
    words = [sys.executable, "-c", code]
    process = os.posix_spawn(sys.executable, words, os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        sys.exit(f"✗ waits：这一段没有跑通：{code}")
    return used.ru_utime + used.ru_stime


def programs() -> list[dict]:
    """轮流跑 ROUNDS 遍；第一遍只是把文件读进内存，不算。"""
    times = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS + 1):
        for name, (code, *_) in PROGRAMS.items():
            times[name].append(elapsed(code))
    times = {name: found[1:] for name, found in times.items()}
    rows = []
    for name, (_, against, most, most_ratio) in PROGRAMS.items():
        row = {"name": name, "seconds": statistics.median(times[name]), "most": most}
        if against:
            share = ratio(times[name], times[against])
            row |= {"ratio": share, "most_ratio": most_ratio}
            row["compared"] = f"“{against}”的 {share:.2f} 倍（至多 {most_ratio:g}）"
        rows.append(row)
    return rows


def whole_notebooks() -> list[dict]:
    """两翼各一本，从第一格到最后一格。"""
    rows = []
    for wing, name in NAMES.items():
        path = ROOT / "notebooks" / wing / f"{NOTEBOOK}.ipynb"
        notebook, result = notebooks.execute(path)
        if wrong := notebooks.complaint(notebook, result):
            sys.exit(f"✗ waits：{path.name} 没有跑通：{wrong}")
        what = f"笔记本“自注意力”，{name}，从头到尾"
        rows.append({"name": what, "seconds": result.time, "most": 60})
    return rows


def site() -> list[dict]:
    """真的 Chromium：第一次打开搜索、打完字到结果、翻到另一页。"""
    queries = yaml.safe_load((ROOT / "tests/site/queries.yml").read_text("utf8"))
    with serving(SITE) as root, chrome.launched() as browser:
        page = browser.new_page()
        page.goto(f"{root}index.html")
        page.keyboard.press("Control+k")
        ready = page.evaluate(OPEN)
        typed = [page.evaluate(TYPED, row["q"]) for row in queries["found"]]
        turned = []
        for name in toc.names()[::4]:
            page.goto(f"{root}{name}.html")
            turned.append(page.evaluate(TURNED))
    asked = f"搜索，打完字到结果（{len(typed)} 问的中位数）"
    moved = f"翻到另一页（{len(turned)} 页的中位数）"
    return [
        {"name": "第一次打开搜索，到可以打字", "seconds": ready, "most": 2},
        {"name": asked, "seconds": statistics.median(typed), "most": 0.3},
        {"name": moved, "seconds": statistics.median(turned), "most": 1},
    ]


def built(record: dict) -> list[dict]:
    """第一次造书：全部执行过一遍用了多久，每一页都重新生成用了多久。

    中间停过（一分钟没有一本在跑），就不是一口气做完的，不算；只生成了几页的也不算。

    参数: record 为造书时写下的 built.json
    """
    spans = []
    for run in record["notebooks"].values():
        end = datetime.fromisoformat(run["finished"]).timestamp()
        spans.append((end - run["seconds"], end))
    first, rest = min(spans)[0], 0.0
    latest = first
    for start, end in sorted(spans):
        rest, latest = max(rest, start - latest), max(latest, end)
    rows = []
    if rest < 60:
        what = f"第一次造书：执行 {len(spans)} 本笔记本与带代码的页"
        rows.append({"name": what, "seconds": latest - first, "most": 900})
    if record.get("whole"):
        seconds = record["seconds"]["pages"]
        rows.append({"name": "第一次造书：生成每一页", "seconds": seconds, "most": 180})
    return rows


def slow(row: dict) -> str:
    """哪一个上限超过了；没有就是空串。"""
    if row.get("ratio", 0) > row.get("most_ratio", 1):
        return "比值超过了上限"
    return "秒数超过了上限" if row["seconds"] > row["most"] else ""


def line(row: dict) -> str:
    """打印用的一行。"""
    words = [f"{row['seconds']:8.3f} 秒（至多 {row['most']:g}）", row["name"]]
    return "  ".join(filter(None, [*words, row.get("compared"), slow(row)]))


def main() -> int:
    """逐样测量，打印，写下；有一个比值超过上限就返回 1。"""
    if not RECORD.exists():
        sys.exit("✗ waits：书还没有造出来；先 make book")
    rows, load = [], os.getloadavg()[0]  # 别的程序占着几个核：墙上的钟量到的有它一份
    record = json.loads(RECORD.read_text("utf8"))
    for measure in (programs, whole_notebooks, site, lambda: built(record)):
        for row in measure():
            rows.append(row)
            print(line(row), flush=True)
    where = {"machine": timing.machine(*PACKAGES), "load": load}
    timing.write("waits", {**where, "rows": rows})
    return int(any(slow(row).startswith("比值") for row in rows))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except chrome.NoChromiumError as error:
        sys.exit(f"✗ waits：{error}")
