"""认得的写法：同一组权重，一种写法一个短函数；名字、说明、出处在 grading/bank.py。

权重一律写成通用的样子：w["fc1"] 为（输出，输入），w["fc1.bias"] 为（输出，）。
内容: `gates` 通道门、空间门、CBAM；`attention` 自注意力；`block` ViT 的块与入口；
    `steps` 训练的一步
"""

from .attention import attention_map, attention_tokens, notes_attention
from .block import vit_block, vit_tokens
from .gates import cbam, channel_attention, spatial_attention

FORWARDS = {
    "channel_attention": channel_attention,
    "spatial_attention": spatial_attention,
    "cbam": cbam,
    "self_attention_2d": attention_map,
    "notes_attention": notes_attention,
    "self_attention": attention_tokens,
    "masked_attention": attention_tokens,
    "vit_block": vit_block,
    "vit_tokens": vit_tokens,
}

__all__ = ["FORWARDS"]
