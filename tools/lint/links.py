"""逐个打开书、笔记本与说明里的外部链接，列出打不开的。

用法: python -m tools.lint.links
每周由工作流跑一次；不在 make test 里，因为别人的网站会临时出毛病。
"""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tools.build.toc import tracked

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("*.md", "*.ipynb", "*.bib", "*.cff", "pyproject.toml", ".github/**")
LINK = re.compile(r"https?://[^\s<>\"'`)\]}|\\，。；、）”」]+")
# 当例子的、构建时用的地址；自己的发布页，要打了标签才有
SKIPPED = re.compile(r"//(localhost|127\.)|…|网址|\$|/(simple$|compare/|releases/tag/)")
# 拒绝程序、只接待浏览器的网站：能连上就算通
SHY = {401, 403, 405, 406, 418, 429, 503, 999}
HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; vision-attention link check)"}
TRIES = 3


def text(path: Path) -> str:
    """一个文件的文字；笔记本只看各格的内容，不看输出。"""
    whole = path.read_text("utf8")
    if path.suffix != ".ipynb":
        return whole
    return "\n".join("".join(cell["source"]) for cell in json.loads(whole)["cells"])


def links() -> dict[str, list[str]]:
    """每个外部链接，与写着它的文件。"""
    found: dict[str, list[str]] = {}
    for name in tracked(*PATTERNS):
        for link in LINK.findall(text(ROOT / name)):
            url = link.rstrip(".,;:*_")
            if not SKIPPED.search(url) and name not in found.setdefault(url, []):
                found[url].append(name)
    return {url: names for url, names in found.items() if names}


def fault(url: str, pause: float = 5) -> str:
    """打不开的原因；网断了、服务器一时出错，隔一会儿再试，三次都不行才算。"""
    again = Retry(
        TRIES - 1,
        backoff_factor=pause,
        status_forcelist={500, 502, 504},
        raise_on_status=False,
        respect_retry_after_header=False,  # 有的要等一个钟头
    )
    with requests.Session() as session:
        session.mount(url[: url.index("//") + 2], HTTPAdapter(max_retries=again))
        options = {"headers": HEADERS, "timeout": 30, "stream": True}
        try:
            code = session.get(url.partition("#")[0], **options).status_code
        except (requests.RequestException, ValueError) as error:
            return f"{type(error).__name__}: {error}"
    return "" if code < 400 or code in SHY else f"HTTP {code}"


def main() -> int:
    """列出打不开的链接；有就返回 1。"""
    found = links()
    with ThreadPoolExecutor(8) as pool:
        results = dict(zip(found, pool.map(fault, found), strict=True))
    broken = {url: why for url, why in results.items() if why}
    for url, why in sorted(broken.items()):
        print(f"✗ {url}（{why}）：{'、'.join(found[url])}")
    print(f"外部链接 {len(found)} 个，打不开 {len(broken)} 个")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
