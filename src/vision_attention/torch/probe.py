"""只学分类头：主干不动，看它的特征线性可分到什么程度。"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision_attention import checks


class LinearProbe(nn.Module):
    """线性探针：主干停在评估模式、不受梯度，只有分类头在学。

    主干的批归一化因此用预训练时的移动平均，也不再更新；只冻结参数而让它留在训练
    模式，统计量会悄悄跟着新数据走。

    形状: x (B, C, S, S) →（B, 类别数）
    参数: model 为带 features 与 head 的模型，本书的都是；它的 head 就地改变
    错误: model 没有 features 或 head 时抛出 ValueError
    出处: Alain 与 Bengio 2016，arXiv:1610.01644
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        checks.backbone(model, nn.Module)
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        self.model.eval()
        with torch.no_grad():
            seen = self.model.features(x)
            if seen.ndim == 4:
                seen = F.adaptive_avg_pool2d(seen, 1).flatten(1)  # (B, C')
        # no_grad 记不进追踪的图，也拦不住方向导数；detach 两样都管
        return self.model.head(seen.detach())
