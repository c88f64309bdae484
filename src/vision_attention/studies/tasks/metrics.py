"""指标的中文名与单位；一个指标只有一个名字，表、图与书都照这里。

内容: METRICS、ALWAYS、ACCURACIES、MARGINS、COUNTED、CENSORED、SHARES、WHOLE、SIGNED。
"""

from __future__ import annotations

METRICS = {
    "test_accuracy": "测试准确率",
    "train_accuracy": "训练准确率",
    "test_loss": "测试损失",
    "train_loss": "训练损失",
    "accuracy_gap": "训练与测试准确率之差",
    "steps_to_fit": "训练准确率首次达到 0.99 的步数",
    "cpu_seconds": "CPU 时间（秒）",
    "parameters": "参数个数",
    "macs": "乘加次数",
    "source_accuracy": "预训练那几类的测试准确率",
    "attention_distance": "平均注意距离（像素，各层平均）",
    "attention_distance_first": "第一层的平均注意距离（像素）",
    "attention_distance_last": "最后一层的平均注意距离（像素）",
    "reach_share": "有效感受野占图的份额（装下 95 % 的梯度）",
    "reach_radius": "有效感受野的半径（像素，装下 95 % 的梯度）",
    "noticed_first": "远处一个像素变了，第一阶段有几成位置察觉",
    "noticed_last": "远处一个像素变了，最后一个阶段有几成位置察觉",
    "parameters_ratio": "参数个数与参照之比",
    "macs_ratio": "乘加次数与参照之比",
    "latency_1": "推理一张的时间（秒）",
    "latency_1_ratio": "推理一张的时间与参照之比",
    "latency_64": "推理 64 张的时间（秒）",
    "latency_64_ratio": "推理 64 张的时间与参照之比",
    "train_step": "64 张训练一步的时间（秒）",
    "train_step_ratio": "64 张训练一步的时间与参照之比",
    "memory": "64 张训练一步的内存峰值（字节）",
    "memory_ratio": "64 张训练一步的内存峰值与参照之比",
}

# 不论什么任务，记录里都有的
ALWAYS = ("cpu_seconds", "parameters", "macs")

# 说“点”的：一个点是 0.01
ACCURACIES = ("test_accuracy", "train_accuracy", "accuracy_gap", "source_accuracy")
# 相差多少以内算“相差不到 δ”；没有写的不下这个结论。主要指标以 study.yaml 的为准
MARGINS = {
    **dict.fromkeys(ACCURACIES, 0.01),
    "test_loss": 0.05,
    "train_loss": 0.05,
    "steps_to_fit": 10,
    "attention_distance": 0.1,
    "attention_distance_first": 0.1,
    "attention_distance_last": 0.1,
    "reach_share": 0.01,
    "reach_radius": 0.1,
    "noticed_first": 0.01,
    "noticed_last": 0.01,
    "latency_1_ratio": 0.05,
    "latency_64_ratio": 0.05,
    "train_step_ratio": 0.05,
    "memory_ratio": 0.05,
}
# 由结构数出来的，与种子无关：没有起伏，不作检验
COUNTED = ("parameters", "macs", "parameters_ratio", "macs_ratio")
# 步数用完还没有到的，记为“没有”，其实是“至少这么多”
CENSORED = ("steps_to_fit",)

# 取值的样子，记录照它查：份额在 0–1 之间，个数是整数，差可以是负的，其余不小于 0
SHARES = (
    "test_accuracy",
    "train_accuracy",
    "source_accuracy",
    "reach_share",
    "noticed_first",
    "noticed_last",
)
WHOLE = ("steps_to_fit", "parameters", "macs", "memory")
SIGNED = ("accuracy_gap",)
