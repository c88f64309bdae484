"""按名字挑一翼，用到时才载入；整个程序库只在这里挑。

内容: Wing、load_wing、wake_old_mkl、installed、threads_used、attention_names、
    PACKAGES。
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from vision_attention.checks import ArgumentError, choice

PACKAGES = {"torch": "torch", "paddle": "paddlepaddle"}


@dataclass(frozen=True)
class Wing:
    """一翼。

    参数: name 为 "torch" 或 "paddle"
    """

    name: str

    def module(self, name: str) -> ModuleType:
        """这一翼里的一个模块，如 training、models。"""
        import_quietly(self.name)
        return importlib.import_module(f"vision_attention.{self.name}.{name}")


def load_wing(framework: str) -> Wing:
    """按名字载入一翼。

    错误: 名字不认识、框架没有安装时抛出 ValueError，后者给出安装命令
    """
    choice("framework", framework, PACKAGES)
    if importlib.util.find_spec(framework) is None:
        raise ArgumentError(
            f"没有安装 {framework}；请运行 pip install {PACKAGES[framework]}",
            "framework",
        )
    return Wing(framework)


def import_quietly(framework: str) -> ModuleType:
    """载入框架；Paddle 载入时抱怨没有 ccache，与这里无关。"""
    if framework == "paddle":
        wake_old_mkl()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache")
        return importlib.import_module(framework)


def threads_used(framework: str) -> int:
    """框架在这个进程里用几个线程。

    Paddle 没有可问的函数：它载入时读 OMP_NUM_THREADS，没有设就写成 1。
    """
    module = import_quietly(framework)
    if framework == "torch":
        return module.get_num_threads()
    return int(os.environ["OMP_NUM_THREADS"])


def wake_old_mkl(listing: Path = Path("/proc/cpuinfo")) -> None:
    """让 Paddle 随身带的旧 MKL 在 AMD 处理器上也用 AVX2；自己设过的不动。

    那一版 MKL 只认 Intel，别家的处理器一律走 SSE2，矩阵乘慢一半以上；
    MKL_DEBUG_CPU_TYPE=5 让它走 AVX2。新的 MKL 不看这个变量，Intel 上也用不着它。
    要在 Paddle 第一次做矩阵乘之前设好。
    参数: listing 为列出处理器的文件，测试时可以换
    """
    flags = listing.read_text("utf8") if listing.exists() else ""
    if "AuthenticAMD" in flags and " avx2 " in flags:
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")


def installed() -> list[str]:
    """已安装的框架。"""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is not None]


@functools.cache
def attention_names() -> tuple[str, ...]:
    """模型的 attention 可以取的名字；两翼相同，只读源文件里的那张表，不载入框架。"""
    source = Path(__file__).parent / "torch" / "gates" / "__init__.py"
    for node in ast.parse(source.read_text("utf8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GATES":
            gates = [ast.literal_eval(key) for key in node.value.keys]
    return ("none", *gates, "self_attention")
