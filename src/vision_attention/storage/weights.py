"""权重文件：读 .safetensors，逐项核对名字、形状、数据类型与取值。不认识任何框架。

- `read`：文件 → 名字到数组的表，bfloat16 写成 float32，值不变
- `pair`：两边的名字配成对，包装加的前缀不算
- `Slot`、`fault`：模型里的一项；收到的数组放得进去吗，放不进去是哪一种 `Fault`
- `fill`：一整张表写进模型；有一项不合，就一项也不写
- `remedy`：放不进去，该怎么办
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from vision_attention import checks
from vision_attention.storage import files, records

# NumPy 有的类型；此外只认 bfloat16，它是 float32 的前一半
KNOWN = {*"F64 F32 F16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64".split(), "BF16"}
SHOWN = 12  # 对不上的，最多列出几处
MOST_DIMS = 32  # NumPy 1 的数组至多这么多维
COUNTER = "num_batches_tracked"  # 批次计数器只有 PyTorch 有，不搬
# torch 的 DataParallel、compile、FSDP 与检查点包装，Paddle 的 DataParallel 加的一节
WRAPPERS = {
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_layers",
}
LARGEST = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": float(np.finfo(np.float32).max),
    "float64": float(np.finfo(np.float64).max),
}
# NumPy 也有的类型；别的浮点（bfloat16 等）先换成 float32，一位不差
COMMON = {
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
KINDS = {"f": "浮点", "i": "整数", "u": "整数", "b": "布尔", "c": "复数"}


@dataclass(frozen=True)
class Slot:
    """模型里的一项权重：形状与数据类型，怎样读，怎样写。"""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]
    write: Callable[[np.ndarray], None]

    @property
    def numpy_dtype(self) -> np.dtype:
        """交给框架之前的类型；NumPy 没有的先用 float32。"""
        return np.dtype(self.dtype if self.dtype in COMMON else np.float32)


def read(path: Path) -> dict[str, np.ndarray]:
    """一个 .safetensors 里的全部数组。

    错误: 没有文件时抛出 FileNotFoundError；不是普通的文件、内容损坏，或有读不了的类型
        时抛出 ValueError，逐项点名
    """
    files.readable(path)
    try:
        with safe_open(path, "np") as file:
            entries = _entries(path)
            _refuse_strange(path, entries)
            # 先读 NumPy 认识的，再读 bfloat16
            plain = [name for name, entry in entries if entry["dtype"] != "BF16"]
            values = {name: file.get_tensor(name) for name in plain}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} 不是完好的 .safetensors：没有存完，或是别的格式；请换一份完整的"
        ) from error
    return values | _bfloat16(path, entries)


def _refuse_strange(path: Path, entries: list[tuple[str, dict]]) -> None:
    """有 NumPy 装不下的就抛出 ValueError，逐项点名。"""
    types = [
        f"{checks.shortened(n)}（{e['dtype']}）" for n, e in entries if _strange(e)
    ]
    if types:
        raise ValueError(
            f"{path} 里有 {len(types)} 项的类型读不了："
            f"{'、'.join(types)}；请先换成 float32 或 bfloat16 再存"
        )
    deep = [checks.shortened(n) for n, e in entries if len(e["shape"]) > MOST_DIMS]
    if deep:
        raise ValueError(
            f"{path} 里有 {len(deep)} 项超过 {MOST_DIMS} 维：{'、'.join(deep)}；"
            "这不是模型的权重，请换一份"
        )


def _strange(entry: dict) -> bool:
    return entry["dtype"] not in KNOWN


def _entries(path: Path) -> list[tuple[str, dict]]:
    """文件头里的各项；已由 safe_open 核对过，只差同一个名字不许写两次。"""
    with path.open("rb") as file:
        text = file.read(_header_size(file.read(8)))
    try:
        header = records.plain_json(text)
    except ValueError as error:
        raise ValueError(f"{path} 的文件头不对（{error}）；请换一份完整的") from error
    return [(name, e) for name, e in header.items() if name != "__metadata__"]


def _header_size(prefix: bytes) -> int:
    return int.from_bytes(prefix, "little")


def _bfloat16(path: Path, entries: list[tuple[str, dict]]) -> dict[str, np.ndarray]:
    """文件里的 bfloat16：后面补 16 个 0 就是 float32，值不变。"""
    values = {}
    with path.open("rb") as file:
        start = 8 + _header_size(file.read(8))
        for name, entry in entries:
            if entry["dtype"] == "BF16":
                first, last = entry["data_offsets"]
                file.seek(start + first)
                halves = np.frombuffer(file.read(last - first), "<u2")
                bits = halves.astype(np.uint32) << 16
                values[name] = bits.view(np.float32).reshape(entry["shape"])
    return values


def bare(name: str) -> str:
    """去掉包装加的各节：module._orig_mod.fc1.weight → fc1.weight。"""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def pair(
    wanted: Iterable[str], given: Iterable[str]
) -> tuple[dict[str, str], list[str], list[str]]:
    """两边的名字配成对：一样的配一样的；否则去掉包装加的各节再配。

    返回: 模型里的名字到收到的名字的表；缺少的；多余的
    """
    wanted, given = list(wanted), list(given)
    for rule in (str, bare):
        known = {rule(name): name for name in given}
        own = {rule(name) for name in wanted}
        # 去掉之后撞了名，就分不清谁是谁
        distinct = len(known) == len(given) and len(own) == len(wanted)
        if distinct and known.keys() == own:
            return {name: known[rule(name)] for name in wanted}, [], []
    rule = bare if distinct else str
    known = {rule(name): name for name in given}
    pairs = {name: known[rule(name)] for name in wanted if rule(name) in known}
    missing = [name for name in wanted if name not in pairs]
    used = set(pairs.values())
    return pairs, missing, [name for name in given if name not in used]


@dataclass(frozen=True)
class Fault:
    """一项放不进去。

    参数: kind 为哪里不对：type、shape、range、finite；text 为那句话
    """

    kind: str
    text: str


def fault(name: str, slot: Slot, given: Any, finite: bool = True) -> Fault | None:
    """收到的数组放进这一项，有什么不对；没有就返回 None。

    参数: name 为这一项的名字；finite 为真时，NaN 与无穷也算不对，模型里同一处
        本来就是无穷的（例如掩码）除外
    """
    try:
        array = checks.array(name, given)
    except checks.ArgumentError as error:
        return Fault("type", str(error))
    if array.shape != slot.shape:
        text = f"{name} 的形状应为 {slot.shape}，收到 {array.shape}"
        return Fault("shape", text)
    own, other = slot.numpy_dtype.kind, array.dtype.kind
    if KINDS.get(own) != KINDS.get(other):
        text = f"{name} 的类型是 {array.dtype}，应为{KINDS.get(own, slot.dtype)}"
        return Fault("type", text)
    if other in "fc":
        return _unfit(name, slot, array, finite)
    if other in "iu" and array.size:
        low, high = np.iinfo(slot.dtype).min, np.iinfo(slot.dtype).max
        least, most = int(array.min()), int(array.max())
        if least < low or most > high:
            text = f"{name} 的取值在 {least} 与 {most} 之间，{slot.dtype} 装不下"
            return Fault("type", text)
    return None


def _unfit(name: str, slot: Slot, array: np.ndarray, finite: bool) -> Fault | None:
    good = np.isfinite(array)
    if finite and not good.all():
        bad = ~good & ~(array == slot.read())
        if bad.any():
            text = f"{name} 里有 {int(bad.sum())} 个 NaN 或无穷"
            return Fault("finite", text)
    largest = float(np.abs(array[good]).max(initial=0))
    most = LARGEST.get(slot.dtype, float("inf"))
    if largest > most:
        text = f"{name} 最大到 {largest:.3g}，{slot.dtype} 只装得下 {most:.3g}"
        return Fault("range", text)
    return None


def is_counter(name: str) -> bool:
    """是不是批归一化的批次计数器。"""
    return name.rpartition(".")[2] == COUNTER


def fill(
    slots: Mapping[str, Slot], values: Mapping[str, Any], finite: bool = True
) -> None:
    """把通用写法的一张表写进模型的各项；有一项不合，就一项也不写。

    参数: slots 为模型的各项；values 为名字到数组的表；finite 见 fault
    错误: 有缺少、多余、形状或类型不符、不是有限的数或装不下的条目时抛出
        ValueError，数出几处，列出前几处
    """
    if not isinstance(values, Mapping):
        raise checks.ArgumentError(
            f"values={checks.shown(values)} 应为名字到数组的表，见 interop.state",
            "values",
        )
    given = {str(n): v for n, v in values.items() if not is_counter(str(n))}
    pairs, missing, extra = pair(slots, given)
    found = (fault(n, slots[n], given[other], finite) for n, other in pairs.items())
    _refuse(missing, extra, [one for one in found if one])
    for name, other in pairs.items():
        slot = slots[name]
        slot.write(np.ascontiguousarray(given[other], slot.numpy_dtype))


def _refuse(missing: list[str], extra: list[str], faults: list[Fault]) -> None:
    """有一处不合就抛出 ValueError；最后一句说该怎么办。"""
    lines = [f"缺少 {name}" for name in missing] + [f"多余 {name}" for name in extra]
    lines += [fault.text for fault in faults]
    if lines:
        rest = [f"……另有 {len(lines) - SHOWN} 处"] if lines[SHOWN:] else []
        listed = "\n  ".join(sorted(lines)[:SHOWN] + rest)
        raise ValueError(
            f"权重与模型对不上，共 {len(lines)} 处，什么也没有写入：\n  {listed}\n"
            + remedy(missing, extra, {fault.kind for fault in faults})
        )


def remedy(missing: list[str], extra: list[str], kinds: Collection[str]) -> str:
    """载入不成，该怎么办：前缀、别的模型、尺寸、类型、取值，先说最要紧的。

    参数: missing、extra 为缺少与多余的名字；kinds 为各个 Fault 的 kind
    """
    if missing or extra:
        found, other = _prefix(extra, missing), _prefix(missing, extra)
        if found:
            return f"文件里的名字多了前缀 {found!r}；请去掉它再载入"
        if other:
            return f"模型里的名字多了前缀 {other!r}；请载入它里面的那一层"
    if missing or extra or "shape" in kinds:
        return "请确认两边是同一种尺寸（例如 specs.named 的名字与字段都相同）"
    if "finite" in kinds:
        return "名字与形状都对，数却坏了：那次训练多半已经发散；请换一份权重"
    if "range" in kinds:
        return "请先把模型换成 float32：torch 写 model.float()，Paddle 写 model.float()"
    return "请把这几项按模型的类型重新存一次，例如 array.astype('float32')"


def _prefix(longer: list[str], shorter: list[str]) -> str:
    """一边的名字都是另一边的加上同一个前缀时，返回这个前缀，否则是空串。"""
    if not shorter or not longer:
        return ""
    first = min(shorter, key=len)
    for name in longer:
        found = name.removesuffix(first)
        if found != name and all(found + other in set(longer) for other in shorter):
            return found
    return ""
