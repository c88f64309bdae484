"""并行执行缓存里没有的笔记本与带代码的页面，把输出放进 jupyter-cache；造书时直接取用。

用法: python -m tools.build.notebooks 结果.json。由 course.py 在 .venv 里调用。
哪些笔记本要执行，由 _toc.yml 说了算；同时跑几本由环境变量 COURSE_JOBS 决定，长的先跑。
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.main import JupyterCacheBase
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig

from tools.build import toc
from tools.build.status import measured
from tools.build.workplace import CACHE, ROOT, fingerprint, write

SUFFIXES = (".md", ".ipynb")
# 命令写成的、人手写的数据；页里的格子读它们
DATA, KINDS = ("book/_data", "benchmarks"), {".json", ".yaml", ".yml"}
# 内核起不来时 jupyter_client 的原话
SILENT = "Kernel didn't respond"


def toc_files() -> list[Path]:
    """返回 _toc.yml 里的文件，依书中的顺序。"""
    stems = [ROOT / name for name in toc.names()]
    tries = (stem.with_name(stem.name + end) for stem in stems for end in SUFFIXES)
    return [path for path in tries if path.exists()]


def read(path: Path) -> nbformat.NotebookNode | None:
    """读一个文件：笔记本，或者带着可执行格子的一页；普通的一页返回 None。"""
    text = path.read_text("utf8")
    reader = create_nb_reader(str(path), MdParserConfig(), NbParserConfig(), text)
    return reader.read(text) if reader else None


def timeout() -> int:
    """返回一格最多跑多少秒，与 _config.yml 同一个数。"""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    return settings["execute"]["timeout"]


def execute(path: Path) -> tuple[nbformat.NotebookNode, ExecutionResult]:
    """在笔记本自己的文件夹里执行它；返回带输出的笔记本与结果。

    几个内核同时起步，偶尔抢同一个端口，抢输的一直不应声：那不是笔记本的错，换一次再来。
    """
    for last in (False, False, True):
        notebook = read(path)
        try:
            result = single_nb_execution(
                notebook, cwd=str(path.parent), timeout=timeout(), allow_errors=False
            )
        except RuntimeError as error:
            if last or SILENT not in str(error):
                raise
        else:
            break
    return notebook, result


def warm_up() -> None:
    """先把字体清单造好：否则第一个画图的笔记本会多出一行提示，输出就不一样了。"""
    importlib.import_module("matplotlib.font_manager")


def data_read(path: Path) -> str:
    """返回一本所读数据的指纹；文件的名字写在里面，就算读了。没有读就是空串。"""
    text = path.read_text("utf8")
    files = sorted(file for folder in DATA for file in (ROOT / folder).glob("*.*"))
    found = [file for file in files if file.suffix in KINDS and file.name in text]
    return fingerprint(*found) if found else ""


def cached_run(cache: JupyterCacheBase, path: Path) -> dict | None:
    """返回缓存里这一本上次真正执行的记录：秒数、何时、版本、机器；没有就是 None。

    格子没有变、所读的数据变了，也是没有。
    """
    try:
        data = cache.match_cache_notebook(read(path)).data
    except KeyError:
        return None
    current = data.get("data_read", "") == data_read(path)
    return data if current and "finished" in data else None


def longest_first(paths: list[Path], seconds: dict[str, float]) -> list[Path]:
    """长的先跑，免得最后只剩一本长的；没有量过的当作最长，都没有量过就照书的次序。

    参数: seconds 为上次造书时每本用的秒数
    """
    names = {path: path.relative_to(ROOT).as_posix() for path in paths}
    return sorted(paths, key=lambda path: -seconds.get(names[path], float("inf")))


def complaint(notebook: nbformat.NotebookNode, result: ExecutionResult) -> str:
    """返回这本笔记本哪里不对；没有不对就是空串。冒出警告也算不对，不入缓存。"""
    if result.err is not None:
        name = getattr(result.err, "ename", type(result.err).__name__)
        said = getattr(result.err, "evalue", "") or str(result.err)
        return f"{name}: {said.strip().splitlines()[0] if said.strip() else ''}"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                return f"冒出了警告 {last_line(output['text'])}"
    return ""


def main(target: Path) -> int:
    """执行、入缓存、写下每本量到的；有一本不对就返回 1。"""
    warm_up()
    cache = get_cache(str(CACHE / "jupyter"))
    paths = [path for path in toc_files() if read(path)]
    runs = {path: cached_run(cache, path) for path in paths}
    last = json.loads(target.read_text("utf8")) if target.exists() else {}
    seconds = {name: entry["seconds"] for name, entry in last.items()}
    todo = longest_first([path for path in paths if runs[path] is None], seconds)
    with ThreadPoolExecutor(int(os.environ.get("COURSE_JOBS", "1"))) as pool:
        for path, (notebook, result) in zip(todo, pool.map(execute, todo), strict=True):
            name = path.relative_to(ROOT).as_posix()
            if wrong := complaint(notebook, result):
                print(result.exc_string or "")
                print(f"ERROR 笔记本 {name} 没有跑通：{wrong}", flush=True)
                continue
            print(f"笔记本 {name} {result.time:.1f} 秒", flush=True)
            runs[path] = {"execution_seconds": result.time, **measured()}
            runs[path]["data_read"] = data_read(path)
            bundle = CacheBundleIn(notebook, str(path), data=runs[path])
            cache.cache_notebook_bundle(bundle, overwrite=True)
    report = {
        path.relative_to(ROOT).as_posix(): entry(run, path not in todo)
        for path, run in runs.items()
        if run
    }
    write(target, json.dumps(report, ensure_ascii=False, indent=1))
    return int(None in runs.values())


def entry(run: dict, cached: bool) -> dict:
    """返回 built.json 里的一项；何时、版本、机器是执行时的，不是取用缓存时的。"""
    rest = {key: run[key] for key in ("finished", "versions", "machine")}
    return {"seconds": run["execution_seconds"], "cached": cached, **rest}


def last_line(trace: str) -> str:
    """返回一段报错的最后一行。"""
    lines = [line for line in trace.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
