"""study.yaml 的样子：有哪些键、各是什么类型、怎样才不自相矛盾。

内容: Study（一项研究）及其各部分、parse（文本 → Study）、StudyError。
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vision_attention.studies.audit import audit
from vision_attention.studies.positions import StudyError, locate, nearest, read_yaml
from vision_attention.studies.runs import factor_name

Framework = Literal["torch", "paddle"]


class Part(BaseModel):
    """各部分共同的规矩：不认识的键一律拒收，建好之后不能改。"""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Compare(Part):
    """比什么：哪个因素、以哪一臂为参照；按种子配对。"""

    factor: str
    reference: str | int | float | bool


class Budget(Part):
    """预算：在哪种机器上大约要几分钟，一次运行一个线程。"""

    minutes: float = Field(gt=0)
    machine: str = "2 核 CPU"


def _seeds(value: Any) -> Any:
    """seeds: 10 与 seeds: [0, 1, …, 9] 是一个意思。"""
    if isinstance(value, int) and not isinstance(value, bool):
        return list(range(value))
    return value


PARTS = {"compare": Compare, "budget": Budget}
Levels = list[Any] | dict[str, dict[str, Any]]


class Study(Part):
    """一项研究。

    参数：
        question: 一句话的问题
        metric: 主要指标，取 tasks.METRICS 之一
        task: 每次运行做什么，取 tasks.TASKS 之一，默认 train
        data / model / train / options: 不变的设置；data 的键同 data.load，
            model.name 见 specs.SPECS，train 的键见 config.TrainConfig，options 给任务
        grid: 因素；「路径: [取值…]」或「名字: {臂: {路径: 取值}}」
        exclude: 不跑的组合，每条是「因素: 取值」
        compare: 比哪个因素，以谁为参照
        common_start: 为真时，各臂与参照臂同名同形的权重从同一组数出发
        seeds: 种子个数或列表；frameworks: 两翼中的哪些
        paddle_seeds: Paddle 只做这几粒种子（写法同 seeds），缺省为全部；与 torch 的
            同一粒种子配对
        budget: 预算；note: 读结果的人应当知道的话
    """

    question: str = Field(min_length=4)
    metric: str = "test_accuracy"
    task: str = "train"
    data: dict[str, Any] = Field(default_factory=lambda: {"name": "digits"})
    model: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, Levels] = Field(min_length=1)
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    compare: Compare | None = None
    common_start: bool = False
    seeds: Annotated[list[int], BeforeValidator(_seeds)] = Field(min_length=1)
    frameworks: list[Framework] = Field(["torch"], min_length=1)
    paddle_seeds: Annotated[list[int] | None, BeforeValidator(_seeds)] = None
    budget: Budget
    note: str = ""

    def seeds_of(self, framework: str) -> list[int]:
        """一个框架要做的种子。"""
        if framework == "paddle" and self.paddle_seeds is not None:
            return self.paddle_seeds
        return self.seeds

    @property
    def factors(self) -> dict[str, dict[Any, dict[str, Any]]]:
        """因素 → 臂 → 要改的设置；列表写法的因素以路径最后一段为名。"""
        found: dict[str, dict[Any, dict[str, Any]]] = {}
        for name, levels in self.grid.items():
            listed = isinstance(levels, list)
            arms = {value: {name: value} for value in levels} if listed else levels
            found[factor_name(name, levels)] = dict(arms)
        return found


def parse(text: str, source: str = "study.yaml") -> Study:
    """把 YAML 文本读成一项研究，先查写法，再查是否自相矛盾。

    参数: text 为 YAML；source 用在错误信息里
    错误: 写错、矛盾时抛出 StudyError，每处一行：行号、哪里不对、最近的正确写法
    """
    content, lines = read_yaml(text, source)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        problems = [_explain(item, lines) for item in error.errors()]
        raise StudyError(source, problems) from None
    problems = audit(study, lines)
    if problems:
        raise StudyError(source, problems)
    return study


MESSAGES = {
    "missing": "缺少必填的键",
    "int_type": "应为整数",
    "float_type": "应为数",
    "string_type": "应为文字",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为「键: 值」",
    "model_type": "应为「键: 值」",
    "too_short": "不能为空",
    "string_too_short": "太短了",
}


def _explain(item: dict, lines: dict) -> tuple[int, str]:
    """一条 pydantic 错误 → (行号, 中文)。"""
    # 联合类型会在位置里插进自己的名字，例如 list[any]
    place = [part for part in item["loc"] if "[" not in str(part)]
    name = ".".join(str(part) for part in place)
    line = locate(lines, place)
    kind, given = item["type"], item.get("input")
    if kind == "extra_forbidden":
        part = Study if len(place) == 1 else PARTS[place[0]]
        return line, f"不认识的键 {name!r}。{nearest(place[-1], part.model_fields)}"
    if kind == "literal_error":
        return line, f"{name}={given!r} 不认识；可用的取值：{item['ctx']['expected']}"
    if kind == "greater_than":
        return line, f"{name}={given!r} 太小，应大于 {item['ctx']['gt']:g}"
    if kind == "missing":
        return line, f"{MESSAGES['missing']} {name!r}"
    return line, f"{name}={given!r} 不对：{MESSAGES.get(kind, item['msg'])}"
