"""Chromium 在哪里、没有时怎么办、怎样启动。浏览器测试、PDF、Lighthouse 共用。"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator

from tools.build.workplace import CACHE, StepError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-wqy-zenhei")
HOW = (
    "没有找到 Chromium。Debian/Ubuntu：sudo apt-get install chromium fonts-noto-cjk；"
    "macOS：brew install --cask chromium；或用环境变量 CHROMIUM=路径 指定一个"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]


class NoChromiumError(StepError):
    """这台机器上没有 Chromium；消息就是怎样得到它。"""


def chromium() -> str:
    """返回 Chromium 的路径；CI 里（CI=true，root，Debian）没有就装上。

    错误: 找不到也装不上时抛出 NoChromiumError
    """
    path = find()
    if path is None and in_ci():
        install()
        path = find()
    if path is None:
        raise NoChromiumError(HOW)
    return path


def find() -> str | None:
    """已经装好的 Chromium；环境变量 CHROMIUM 优先。"""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, NAMES)), None)


def in_ci() -> bool:
    """在持续集成里：可以自己装系统软件包，也不许悄悄跳过。"""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def install() -> None:
    """用 apt-get 装上 Chromium 与中文字体；几个进程同时来时只装一次。"""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "apt.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if find():
            return
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        env["PATH"] += os.pathsep + "/usr/sbin:/sbin"
        get = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
        for words in (["update"], ["install", "-y", *PACKAGES]):
            done = subprocess.run(
                [*get, *words], env=env, capture_output=True, text=True, check=False
            )
            if done.returncode and words[0] == "install":
                raise NoChromiumError(f"apt-get 没有装成：{done.stderr[-400:]}")


@contextlib.contextmanager
def launched() -> Iterator:
    """启动一个无界面的 Chromium（Playwright 的 Browser）。"""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
