"""数据：digits（内置）、cifar10、two_marks、folder:PATH；切分、随机标签与批次。"""

from __future__ import annotations

from vision_attention.data.batches import batches
from vision_attention.data.dataset import Dataset
from vision_attention.data.loading import load

__all__ = ["Dataset", "batches", "load"]
