"""一条研究记录的样子：写的时候与读的时候照同一份查，说不通的一行不算数。

内容: Reader。
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import NotRequired, TypedDict

from vision_attention.storage import records
from vision_attention.studies.design.runs import key_of
from vision_attention.studies.design.schema import Framework
from vision_attention.studies.store.complaints import complaint
from vision_attention.studies.tasks import TASKS
from vision_attention.studies.tasks.metrics import METRICS, SHARES, SIGNED, WHOLE

exactly = with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))

# float32 放得下的，平方之后双精度也放得下；再大就不是量出来的
LARGEST = 1e38
Count = Annotated[int, Field(ge=0, le=2**63)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
Gap = Annotated[float, Field(ge=-1, le=1)]
Print = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
Plain = int | float | str | bool | None
Nested = Plain | list[Plain] | dict[str, Plain]
# 照次序试，先中先得；每一种都试一遍再挑最合适的要慢一半
Settings = dict[str, Annotated[Nested, Field(union_mode="left_to_right")]]


def _kind(metric: str) -> Any:
    """一个指标的取值；没有测到时为 None。"""
    kinds = dict.fromkeys(SHARES, Share) | dict.fromkeys(WHOLE, Count)
    return (kinds | dict.fromkeys(SIGNED, Gap)).get(metric, Amount) | None


Results = exactly(
    TypedDict("Results", {name: _kind(name) for name in METRICS}, total=False)
)


@exactly
class Asked(TypedDict):
    """设置：凭它就能重做。"""

    task: str
    framework: Framework
    seed: Count
    data: NotRequired[dict[str, Any]]
    model: NotRequired[dict[str, Any]]
    train: NotRequired[dict[str, Any]]
    options: NotRequired[dict[str, Any]]
    start_from: NotRequired[dict[str, Any]]


@exactly
class Curves(TypedDict, total=False):
    """曲线；同一组的一样长，见 GROUPS。"""

    step: list[Count]
    lr: list[Amount | None]
    train_loss: list[Amount | None]
    train_accuracy: list[Share | None]
    test_loss: list[Amount | None]
    test_accuracy: list[Share | None]
    stage: list[Count]
    noticed: list[Share | None]
    layer: list[Count]
    distance: list[Amount | None]


@exactly
class Data(TypedDict):
    """数据；指纹相同就是同一份。"""

    name: str
    fingerprint: Print
    n_train: NotRequired[Count]
    n_test: NotRequired[Count]


@exactly
class Software(TypedDict):
    """框架。"""

    name: Framework
    version: str


@exactly
class Processor(TypedDict):
    """在什么机器上算的。"""

    device: Literal["cpu", "gpu"]
    name: str
    threads: Count
    model: NotRequired[str | None]
    cores: NotRequired[Count | None]
    system: NotRequired[str]
    python: NotRequired[str]
    numpy: NotRequired[str]


@exactly
class Code(TypedDict):
    """哪一版代码；早先的记录没有任务的版本。"""

    version: str
    commit: str | None
    dirty: NotRequired[bool | None]
    task: NotRequired[Count]


@exactly
class Record(TypedDict):
    """一条记录。"""

    key: Print
    run: Asked
    results: Results
    curves: Curves
    seconds: Amount
    cpu_seconds: Amount
    data: Data
    framework: Software
    processor: Processor
    code: Code
    started: Time
    model: NotRequired[Settings]
    train: NotRequired[Settings]


RECORD = TypeAdapter(Record)
TRAINED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
GROUPS = (("step", "lr", *TRAINED), ("stage", "noticed"), ("layer", "distance"))


class Reader:
    """逐行读一份记录：一行的字节 → 一条记录。

    同样的数据设置与种子，指纹应当相同；不同的以先写的那一条为准，所以一份记录用一个。

    错误: 这一行不能算数时抛出 ValueError，说明为什么
    """

    def __init__(self) -> None:
        self._prints: dict[str, str] = {}

    def __call__(self, line: bytes) -> dict:
        try:
            record = RECORD.validate_json(line)
        except ValidationError as error:
            records.plain_json(line)  # 不是 JSON 的，由它说明为什么
            raise ValueError(_told(error)) from None
        if not _obviously_once(line, record):
            records.plain_json(line)
        if why := _contradiction(record):
            raise ValueError(why)
        self._same_data(record)
        return record

    def _same_data(self, record: dict) -> None:
        run, found = record["run"], record["data"]["fingerprint"]
        asked = repr((sorted(run.get("data", {}).items()), run["seed"]))
        first = self._prints.setdefault(asked, found)
        if first != found:
            raise ValueError(f"数据的指纹是 {found}，先写的同样设置的是 {first}")


def _told(error: ValidationError) -> str:
    """头三处不对。"""
    items = error.errors(include_url=False)
    named = [(item, ".".join(str(part) for part in item["loc"])) for item in items]
    listed = "；".join(complaint(item, name) for item, name in named[:3])
    return f"不是研究的记录：{listed}" + ("；……" if len(items) > len(named[:3]) else "")


def _obviously_once(line: bytes, record: dict) -> bool:
    """一眼看得出没有键写了两次：每个键恰好一个引号加冒号。

    逐层去查要多花三分之一的时间，所以只查看不出来的
    """
    spaced = b" :" in line or b"\t:" in line or b"\r:" in line
    return not spaced and line.count(b'":') == _keys(record)


def _keys(content: dict) -> int:
    """各层一共几个键。"""
    count = len(content)
    for value in content.values():
        if type(value) is dict:
            count += _keys(value)
    return count


def _contradiction(record: dict) -> str | None:
    """各项自己都对，合起来说不通；没有则为 None。"""
    run, results, curves = record["run"], record["results"], record["curves"]
    if key_of(run) != record["key"]:
        return "key 与设置对不上，这一行被改过"
    if run["task"] not in TASKS:
        return f"任务 {run['task']!r} 不认识"
    if record["framework"]["name"] != run["framework"]:
        return f"设置里的框架是 {run['framework']}，写的是另一个"
    for group in GROUPS if curves else ():
        if len({len(curves[name]) for name in group if name in curves}) > 1:
            return f"curves 里的 {'、'.join(group)} 应一样长"
    for name in TRAINED:
        if curves.get(name) and curves[name][-1] != results.get(name):
            return f"results.{name} 与曲线的最后一点不同，这一行被改过"
    return None
