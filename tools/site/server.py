"""在本机像真正的网站那样发布造好的书：压缩、子路径、404 页。

make serve、浏览器测试与 Lighthouse 共用；只用标准库。
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TEXT = ("text/", "application/json", "image/svg")


class Handler(http.server.BaseHTTPRequestHandler):
    """只读的静态网站；prefix 之外的网址也回 404 页。"""

    protocol_version = "HTTP/1.1"

    def __init__(
        self, *args: Any, site: Path, prefix: str = "/", age: int = 600
    ) -> None:
        """参数：site 为网站的文件夹；prefix 为子路径，如 /book/；age 为缓存的秒数。"""
        self.site, self.prefix, self.age = site, prefix, age
        super().__init__(*args)

    def log_message(self, *_: Any) -> None:
        """不在屏幕上逐条记录。"""

    def do_GET(self) -> None:
        """回一个文件。"""
        path = self.find(unquote(urlsplit(self.path).path))
        self.answer(200 if path else 404, path or self.site / "404.html")

    do_HEAD = do_GET  # noqa: N815

    def find(self, url: str) -> Path | None:
        """网址对应的文件；没有就是 None。"""
        if not url.startswith(self.prefix):
            return None
        path = (self.site / url[len(self.prefix) :]).resolve()
        path = path / "index.html" if path.is_dir() else path
        inside = path.is_relative_to(self.site.resolve())
        return path if inside and path.is_file() else None

    def answer(self, status: int, path: Path) -> None:
        """发出状态、头与内容；文字类的内容压缩。"""
        kind = guess(path)
        body = path.read_bytes()
        self.send_response(status)
        if kind.startswith(TEXT):
            body = packed(path, path.stat().st_mtime_ns)
            self.send_header("Content-Encoding", "gzip")
            kind += "; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", f"max-age={self.age}")
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)


@functools.lru_cache(maxsize=512)
def packed(path: Path, stamp: int) -> bytes:
    """压缩过的内容；stamp 是修改时间。"""
    return gzip.compress(path.read_bytes(), 6)


def guess(path: Path) -> str:
    """按后缀给出类型。"""
    kinds = {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webp": "image/webp",
        ".woff2": "font/woff2",
        ".json": "application/json",
        ".xml": "text/xml",
        ".txt": "text/plain",
        ".ipynb": "application/json",
    }
    return kinds.get(path.suffix, "application/octet-stream")


@contextlib.contextmanager
def serving(
    site: Path, prefix: str = "/", handler: type[Handler] = Handler
) -> Iterator[str]:
    """在一个空闲端口上发布 site；给出根网址。"""
    answering = functools.partial(handler, site=site, prefix=prefix)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
