"""重画全书的示意图，默认写进 book/_static/figures。

用法: python -m tools.figures.draw [文件夹]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.figures import cbam, house, places, self_attention, settings, vit

FIGURES: dict[str, Callable[[], str]] = {
    "channel-attention": cbam.channel_attention,
    "spatial-attention": cbam.spatial_attention,
    "cbam-residual-block": cbam.residual_block,
    "self-attention": self_attention.four_steps,
    "vit": vit.overview,
    "house": house.house,
    "three-places": places.three_places,
    "cbam-knobs": settings.knobs,
}


def main() -> None:
    """把每张图写成一个 SVG 文件，并报告大小。"""
    home = Path(__file__).parents[2] / "book" / "_static" / "figures"
    folder = Path(sys.argv[1]) if sys.argv[1:] else home
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        path = folder / f"{name}.svg"
        path.write_text(draw(), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
