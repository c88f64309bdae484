"""按名字挑一翼，用到时才载入；整个屋顶只在这里挑。

内容: Wing、load_wing、installed、PACKAGES。
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from types import ModuleType

PACKAGES = {"torch": "torch", "paddle": "paddlepaddle"}


@dataclass(frozen=True)
class Wing:
    """一翼。

    参数: name 为 "torch" 或 "paddle"
    """

    name: str

    def room(self, name: str) -> ModuleType:
        """这一翼里的一个模块，如 training、models。"""
        import_quietly(self.name)
        return importlib.import_module(f"vision_attention.{self.name}.{name}")


def load_wing(framework: str) -> Wing:
    """按名字载入一翼。

    错误: 名字不认识、框架没有安装时抛出 ValueError，后者给出安装命令
    """
    if framework not in PACKAGES:
        known = "、".join(PACKAGES)
        raise ValueError(f"framework={framework!r} 不认识；可用的取值：{known}")
    if importlib.util.find_spec(framework) is None:
        raise ValueError(
            f"没有安装 {framework}；请运行 pip install {PACKAGES[framework]}"
        )
    return Wing(framework)


def import_quietly(framework: str) -> None:
    """载入框架；Paddle 载入时抱怨没有 ccache，与这里无关。"""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache")
        importlib.import_module(framework)


def installed() -> list[str]:
    """已安装的框架。"""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is not None]
