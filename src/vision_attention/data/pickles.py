"""只造得出数据的 pickle 读法：列表、字典、字符串、字节、数与 NumPy 数组。

普通的 pickle.loads 会照文件里写的去调用任意函数，读陌生文件等于运行陌生程序。
几千字节的 pickle 也可以要几十 GB 的内存；这里先走一遍指令，再数着造。
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np

from vision_attention.checks import shortened

MOST_OPERATIONS = 1_000_000  # 官方的一批约六万条
MOST_ARRAYS = 8  # 官方的一批只有一个数组
_ARRAY = object()  # 代替 ndarray 这个类：不许直接拿它造一个任意大的


class _PlainUnpickler(pickle.Unpickler):
    """只认五个名字；造出来的东西不比内容大许多。"""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.letters, self.arrays = len(content), MOST_ARRAYS

    def find_class(self, module: str, name: str) -> Any:
        # 同一个函数在新旧 NumPy 里的两个住址
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): self.empty,
            ("numpy._core.multiarray", "_reconstruct"): self.empty,
            ("numpy", "ndarray"): _ARRAY,
            ("numpy", "dtype"): self.dtype,
            ("_codecs", "encode"): self.encode,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(
                f"它要求构造 {module}.{name}，"
                "而数据里只该有数组、列表、字典、字符串与数"
            )
        return allowed[module, name]

    def empty(self, kind: object, shape: tuple, code: object) -> np.ndarray:
        """一个空数组，内容随后由它的 __setstate__ 填入；那里核对长度。"""
        self.arrays -= 1
        if kind is not _ARRAY or shape != (0,) or self.arrays < 0:
            raise pickle.UnpicklingError("数组不是 NumPy 写出的样子，或太多")
        return np.ndarray(shape, "b")

    def dtype(self, code: object, *flags: object) -> np.dtype:
        """一个数据类型，自己的一份：随后的 __setstate__ 要往里写字节序。"""
        text = code if isinstance(code, str) else bytes(code).decode("ascii")
        return np.dtype(text, False, True)

    def encode(self, text: str, encoding: str = "latin1") -> bytes:
        """Python 3 以旧协议写出的字节串：文本按 latin1 还原成字节。"""
        self.letters -= len(text)
        if self.letters < 0:
            raise pickle.UnpicklingError("同一段文本用了太多次")
        return text.encode("latin1")


def loads(content: bytes) -> Any:
    """从 pickle 字节里还原纯数据；Python 2 的字符串还原成 bytes。

    错误: 内容损坏、要求构造纯数据以外的东西，或展开之后会大得不像话时，抛出
        pickle.UnpicklingError，此前不占内存
    """
    try:
        _walk(content)
        return _PlainUnpickler(content).load()
    except Exception as error:
        # 损坏的 pickle 什么错都可能抛，统一成一种；文件里的话可能很长
        known = "" if isinstance(error, pickle.UnpicklingError) else "内容损坏："
        raise pickle.UnpicklingError(known + shortened(str(error))) from error


def _walk(content: bytes) -> None:
    """走一遍指令，什么也不造：太多的不读，编号跳得太远的也不读。"""
    for count, (operation, value, _) in enumerate(pickletools.genops(content)):
        # 编号是多大，读的时候就要先备下多长的一张表
        far = operation.name.endswith("PUT") and int(value) > count
        if far or count > MOST_OPERATIONS:
            raise pickle.UnpicklingError("它展开之后大得不像话")


def column(value: Any) -> np.ndarray:
    """数组，或由一列整数、一列字节做成的数组；套着列表的不展开，给一个空的。

    错误: 展开之后比原来大许多时抛出 pickle.UnpicklingError
    """
    if isinstance(value, np.ndarray):
        return value
    kinds = set(map(type, value)) if isinstance(value, list | tuple) else set()
    if kinds not in ({int}, {bytes}):
        return np.empty(0, object)
    longest = max((len(item) for item in value if isinstance(item, bytes)), default=1)
    # NumPy 让一列字节个个与最长的一样长
    if longest * len(value) > MOST_OPERATIONS:
        raise pickle.UnpicklingError("它展开之后大得不像话")
    return np.asarray(value)
