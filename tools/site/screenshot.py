"""README 顶上那张首页的截图：python -m tools.site.screenshot，从造好的网站照一张。

书的目录变了就重照一张（make screenshot），免得门面还是旧的。
"""

from __future__ import annotations

import io
import sys

from PIL import Image

from tools.build.workplace import ROOT, SITE, need_book, told
from tools.site import chrome
from tools.site.server import serving

TARGET = ROOT / "book" / "_static" / "screenshot.png"
WIDTH, HEIGHT = 1280, 980
COLORS = 64  # 界面颜色不多，留下这些，文件小一半


def shot() -> bytes:
    """首页在桌面宽度、亮色下的样子。"""
    with serving(SITE, "/") as root, chrome.launched() as browser:
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
        )
        page.goto(root + "book/index.html", wait_until="load")
        page.wait_for_timeout(500)
        return page.screenshot()


def main() -> None:
    """照下来，减少颜色，写盘。"""
    need_book()
    picture = Image.open(io.BytesIO(shot())).convert("RGB")
    picture.quantize(COLORS).save(TARGET, optimize=True)
    size = TARGET.stat().st_size / 2**10
    print(f"写好了 {TARGET.relative_to(ROOT)}（{size:.0f} KB）")


if __name__ == "__main__":
    sys.exit(told(main))
