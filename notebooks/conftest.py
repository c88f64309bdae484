"""单独跑一本笔记本时，也用 make test 的那套环境；次序打乱时，一本之内仍从上到下。"""

import os

import pytest

from tools.build.workplace import workplace


def pytest_configure():
    """笔记本的内核继承这里的环境变量。"""
    os.environ.update(workplace())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """pytest-randomly 打乱之后，把每本笔记本的格子收拢、排回原来的次序。

    一本之内后一格用着前一格的变量；几本之间谁先谁后仍是随机的。
    """
    places = [k for k, item in enumerate(items) if hasattr(item, "cell_num")]
    cells = [items[place] for place in places]
    first = {path: k for k, path in enumerate(dict.fromkeys(c.path for c in cells))}
    cells.sort(key=lambda cell: (first[cell.path], cell.cell_num))
    for place, cell in zip(places, cells, strict=True):
        items[place] = cell
