"""study.yaml 的样子：有哪些键、各是什么类型、怎样才不自相矛盾。

内容: Study（一项研究）及其各部分、Framework、factor_name。
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Framework = Literal["torch", "paddle"]


# 种子最多几粒；真的研究 20 粒
MOST_SEEDS = 1000


def level_name(value: Any) -> Any:
    """一个取值当作臂的名字：列表没法做名字，写成 JSON 的文字，如 "[1, 2]"。"""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return value


Level = Annotated[Any, BeforeValidator(level_name)]


class Part(BaseModel):
    """各部分共同的规矩：不认识的键一律拒收，建好之后不能改。"""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Compare(Part):
    """比什么：哪个因素、以哪一臂为参照；按种子配对。"""

    factor: str
    reference: Annotated[str | int | float | bool, BeforeValidator(level_name)]


class Budget(Part):
    """预算：在哪种机器上大约要几分钟，一次运行一个线程。"""

    minutes: float = Field(gt=0)
    machine: str = "2 核 CPU"


def _seeds(value: Any) -> Any:
    """seeds: 10 与 seeds: [0, 1, …, 9] 是一个意思。"""
    counted = isinstance(value, int) and not isinstance(value, bool)
    count = value if counted else len(value) if isinstance(value, list) else 0
    if count > MOST_SEEDS:
        raise ValueError(f"种子有 {count} 粒，最多 {MOST_SEEDS} 粒")
    return list(range(value)) if counted else value


def factor_name(path: str, levels: Any) -> str:
    """因素的名字：列表写法的以路径最后一段为名，另一种写法的就是它自己。"""
    return path.rpartition(".")[2] if isinstance(levels, list) else path


class Tune(Part):
    """调参：每一臂先在留出的图片（data.reserve）上各自挑训练的设置，再正式比较。

    参数：
        values: 「路径: [候选…]」，只能是 train 的设置；几条路径时试遍各种组合
        seeds: 挑的时候用的种子，不与研究的种子重合
        at: 「因素: 取值」，只在这个取值上挑，这个因素的其余取值照用
        metric: 在留出的图片上按哪个指标挑；goal: 越大越好（max）还是越小越好（min）
    """

    values: dict[str, list[Any]] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1, max_length=MOST_SEEDS)
    at: dict[str, Level] = Field(default_factory=dict)
    metric: str = "test_accuracy"
    goal: Literal["max", "min"] = "max"


class Judge(Part):
    """判法，写在看见记录之前。

    参数：
        margin: δ：整个区间都在 ±δ 之内，才说「相差不到 δ」；单位同主要指标
        family: 哪些因素的取值把读者分成几种情况；一种情况里的比较是一族，一起校正
        groups: 臂自己分成几种情况时，「情况的名字: [臂…]」；一组是一族，
            写了它，对照以外的臂都要分到一组里
        controls: 不算在族里的臂：它们是对照，不是读者的选择
        positive: 阳性对照：它没有显出差别，这项研究就什么也看不见
        solved: 主要指标过了这个数才叫做对了；写了它，比的是做对的种子占几成，
            用在非此即彼、平均数没有意思的题上
    """

    margin: float = Field(gt=0)
    family: list[str] = Field(default_factory=list)
    groups: dict[str, list[Level]] = Field(default_factory=dict)
    controls: list[Level] = Field(default_factory=list)
    positive: Level = None
    solved: float | None = None


PARTS = {"compare": Compare, "budget": Budget, "tune": Tune, "judge": Judge}
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
        tune: 每一臂先各自挑设置，见 Tune；judge: 怎样判，见 Judge
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
    exclude: list[dict[str, Level]] = Field(default_factory=list)
    compare: Compare | None = None
    common_start: bool = False
    tune: Tune | None = None
    judge: Judge | None = None
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
        """因素 → 臂 → 要改的设置。

        列表写法的因素以路径最后一段为名，臂由 level_name 取名
        """
        found: dict[str, dict[Any, dict[str, Any]]] = {}
        for name, levels in self.grid.items():
            listed = isinstance(levels, list)
            arms = {level_name(v): {name: v} for v in levels} if listed else levels
            found[factor_name(name, levels)] = dict(arms)
        return found
