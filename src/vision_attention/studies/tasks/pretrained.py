"""从预训练的权重出发：装进模型，照文件自己的归一化，只学分类头或一起微调。

内容: examine、Origin、start。
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from vision_attention import checks, interop
from vision_attention.checks import ArgumentError
from vision_attention.data import Dataset
from vision_attention.storage import files
from vision_attention.studies.tasks.outcome import Sections

# ViT 的 attention 是注意力的范围，不是插进去的门
NOT_INSERTED = ("none", "global", "window", "locality")


@dataclass(frozen=True)
class Origin:
    """权重的来历，写进记录。

    参数: file 为文件名；sha256 为它的指纹的前 16 位；loaded 见
        storage.pretrained.Loaded
    """

    file: str
    sha256: str
    loaded: dict[str, Any]


def examine(sections: Sections) -> None:
    """Options 的取值：weights 是路径，freeze 是真假，两样与别处相容。

    错误: 不合适时抛出 ValueError
    """
    options = sections["options"]
    if options.get("weights") is not None:
        files.safetensors("weights", options["weights"])
    if not checks.flag("freeze", options.get("freeze", False)):
        return
    if sections["train"].get("trunk_lr") is not None:
        raise ArgumentError(
            "freeze 与 trunk_lr 不相容：冻住的主干不学；请去掉一个",
            "freeze",
            "train.trunk_lr",
        )
    if sections["model"].get("attention", "none") not in NOT_INSERTED:
        raise ArgumentError(
            "freeze 只学分类头，插入的门也不学；请去掉 freeze 或 model.attention",
            "freeze",
            "model.attention",
        )


def start(
    model: Any, dataset: Dataset, weights: str | None
) -> tuple[Dataset, Origin | None]:
    """把权重装进模型；数据换成照文件自己的归一化，notes 里添上装了什么。

    参数: weights 为 .safetensors 的路径，None 表示不装
    错误: 文件与模型对不上、归一化的通道数不同时抛出 ValueError
    """
    if weights is None:
        return dataset, None
    path = files.safetensors("weights", weights)
    if why := files.why_unreadable(path):
        raise ValueError(
            f"预训练的权重 {files.printable(path)} 读不了：{why}；请检查路径。"
            "挪走了的请放回原处：接着训练与诊断也从它出发"
        )
    changed, loaded = interop.start_from(model, dataset, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return changed, Origin(files.printable(path.name), digest, asdict(loaded))
