"""只造得出数据的 pickle 读法：列表、字典、字符串、字节、数与 NumPy 数组。

普通的 pickle.loads 会照文件里写的去调用任意函数，读陌生文件等于运行陌生程序。
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

# 同一个函数在新旧 NumPy 里的两个住址；取它的办法不触发弃用警告
_RECONSTRUCT = np.empty(0).__reduce__()[0]


class _Latin1:
    """Python 3 以旧协议写出的字节串：文本按 latin1 还原成字节。"""

    __slots__ = ()

    def __call__(self, text: str, encoding: str = "latin1") -> bytes:
        return text.encode("latin1")


ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _Latin1(),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(
                f"它要求构造 {module}.{name}，"
                "而数据里只该有数组、列表、字典、字符串与数"
            )
        return ALLOWED[module, name]


def loads(content: bytes) -> Any:
    """从 pickle 字节里还原纯数据；Python 2 的字符串还原成 bytes。

    错误: 内容损坏，或要求构造纯数据以外的东西时，抛出 pickle.UnpicklingError
    """
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        # 损坏的 pickle 什么错都可能抛，统一成一种
        raise pickle.UnpicklingError(f"内容损坏：{error}") from error
