"""写对了的，各有各的风格；名字的第一节是批改的任务。"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn


class ChannelAttention(nn.Layer):
    def __init__(self, in_channels, reduction_ratio=16):
        super(ChannelAttention, self).__init__()
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.max_pool = nn.AdaptiveMaxPool2D(1)
        self.fc1 = nn.Conv2D(in_channels, in_channels // reduction_ratio, kernel_size=1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2D(in_channels // reduction_ratio, in_channels, kernel_size=1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        avg_out = self.fc2(self.relu(self.fc1(self.avg_pool(x))))
        max_out = self.fc2(self.relu(self.fc1(self.max_pool(x))))
        out = avg_out + max_out
        return self.sigmoid(out)


class SpatialAttention(nn.Layer):
    def __init__(self, kernel_size=7):
        super(SpatialAttention, self).__init__()
        self.conv = nn.Conv2D(2, 1, kernel_size=kernel_size, padding=(kernel_size - 1) // 2)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        avg_out = paddle.mean(x, axis=1, keepdim=True)
        max_out = paddle.max(x, axis=1, keepdim=True)
        out = paddle.concat([avg_out, max_out], axis=1)
        out = self.conv(out)
        return self.sigmoid(out)


class cbam_notes(nn.Layer):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.channel_att = ChannelAttention(in_channels, reduction_ratio)
        self.spatial_att = SpatialAttention(kernel_size)

    def forward(self, x):
        out = x * self.channel_att(x)
        out = out * self.spatial_att(out)
        return out


class cbam_linear(nn.Layer):
    def __init__(self, channels, reduction=16):
        super().__init__()
        h = channels // reduction
        self.mlp = nn.Sequential(nn.Linear(channels, h), nn.ReLU(), nn.Linear(h, channels))
        self.conv = nn.Conv2D(2, 1, 7, padding=3)

    def forward(self, x):
        score = self.mlp(x.mean([2, 3])) + self.mlp(x.flatten(2).max(2))
        x = x * F.sigmoid(score).unsqueeze([2, 3])
        maps = paddle.stack([x.mean(1), x.max(1)], 1)
        return F.sigmoid(self.conv(maps)) * x


class cbam_no_bias(nn.Layer):
    def __init__(self, planes, ratio=16):
        super().__init__()
        self.a = nn.Conv2D(planes, planes // ratio, 1, bias_attr=False)
        self.b = nn.Conv2D(planes // ratio, planes, 1, bias_attr=False)
        self.c = nn.Conv2D(2, 1, 7, padding=3, bias_attr=False)

    def forward(self, x):
        pools = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        x = x * F.sigmoid(sum(self.b(F.relu(self.a(p))) for p in pools))
        return x * F.sigmoid(self.c(paddle.concat([x.mean(1, keepdim=True), x.topk(1, 1)[0]], 1)))


class channel_attention_gate(nn.Layer):
    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.inner = ChannelAttention(in_channels, reduction_ratio)

    def forward(self, x):
        return self.inner(x)


class spatial_attention_product(nn.Layer):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.inner = SpatialAttention(kernel_size)

    def forward(self, x):
        return x * self.inner(x)


class self_attention_2d_bmm(nn.Layer):
    def __init__(self, in_channels):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2D(in_channels, in_channels, 1) for _ in range(3))
        self.gamma = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x):
        b, c, h, w = x.shape
        q = self.query(x).reshape((b, c, h * w)).transpose([0, 2, 1])
        k = self.key(x).reshape((b, c, h * w))
        weights = F.softmax(paddle.bmm(q, k) / math.sqrt(c), -1)
        v = self.value(x).reshape((b, c, h * w)).transpose([0, 2, 1])
        out = paddle.bmm(weights, v).transpose([0, 2, 1]).reshape((b, c, h, w))
        return x + self.gamma * out


class self_attention_2d_fused(nn.Layer):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.g = self.create_parameter([1, 1, 1, 1])

    def forward(self, x):
        b, c, h, w = x.shape
        t = self.qkv(x.flatten(2).transpose([0, 2, 1])).reshape((b, h * w, 3, 1, c))
        q, k, v = t.unbind(2)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.g * y.squeeze(2).transpose([0, 2, 1]).reshape((b, c, h, w))


class self_attention_fused(nn.Layer):
    def __init__(self, dim, num_heads=3):
        super().__init__()
        self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        qkv = self.qkv(x).reshape((b, n, 3, self.num_heads, d // self.num_heads)).transpose([2, 0, 3, 1, 4])
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = q.matmul(k.transpose([0, 1, 3, 2])) * self.scale
        attn = F.softmax(attn, axis=-1)
        return self.proj(attn.matmul(v).transpose([0, 2, 1, 3]).reshape((b, n, d)))


class self_attention_builtin(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.mha = nn.MultiHeadAttention(embed_dim, num_heads)

    def forward(self, x):
        return self.mha(x, x, x)


class self_attention_separate(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim) for _ in range(4))
        self.h = num_heads

    def split(self, x):
        return x.reshape((x.shape[0], x.shape[1], self.h, -1)).transpose([0, 2, 1, 3])

    def forward(self, x):
        q, k, v = self.split(self.W_q(x)), self.split(self.W_k(x)), self.split(self.W_v(x))
        w = F.softmax(paddle.einsum("bhnk,bhmk->bhnm", q, k) / q.shape[-1] ** 0.5, -1)
        return self.W_o((w @ v).transpose([0, 2, 1, 3]).flatten(2))


class self_attention_loop(nn.Layer):
    def __init__(self, d, heads):
        super().__init__()
        k = d // heads
        self.q = nn.LayerList([nn.Linear(d, k) for _ in range(heads)])
        self.k = nn.LayerList([nn.Linear(d, k) for _ in range(heads)])
        self.v = nn.LayerList([nn.Linear(d, k) for _ in range(heads)])
        self.o = nn.Linear(d, d)

    def forward(self, x):
        found = []
        for q, k, v in zip(self.q, self.k, self.v):
            s = paddle.matmul(q(x), k(x), transpose_y=True) / math.sqrt(q.weight.shape[1])
            found.append(F.softmax(s, -1) @ v(x))
        return self.o(paddle.concat(found, -1))


class self_attention_matrices(nn.Layer):
    def __init__(self, d, heads):
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = (self.create_parameter([d, d]) for _ in range(4))
        self.heads = heads

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = ((x @ w).reshape((b, n, self.heads, -1)) for w in (self.wq, self.wk, self.wv))
        s = paddle.einsum("bnhk,bmhk->bhnm", q, k) * (d // self.heads) ** -0.5
        return paddle.einsum("bhnm,bmhk->bnhk", F.softmax(s, -1), v).flatten(2) @ self.wo


class masked_attention_where(self_attention_separate):
    def forward(self, x, mask):
        q, k, v = self.split(self.W_q(x)), self.split(self.W_k(x)), self.split(self.W_v(x))
        s = q.matmul(k.transpose([0, 1, 3, 2])) / q.shape[-1] ** 0.5
        s = paddle.where(mask, s, paddle.full_like(s, -1e9))
        return self.W_o(F.softmax(s, -1).matmul(v).transpose([0, 2, 1, 3]).flatten(2))


class vit_block_plain(nn.Layer):
    def __init__(self, dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, epsilon=1e-6)
        self.attn = self_attention_fused(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, epsilon=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * mlp_ratio), nn.GELU(), nn.Linear(dim * mlp_ratio, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class vit_block_builtin(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(embed_dim, num_heads, 4 * embed_dim, 0.0, "gelu", normalize_before=True)

    def forward(self, x):
        return self.layer(x)


class vit_tokens_conv(nn.Layer):
    def __init__(self, img_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.proj = nn.Conv2D(in_channels, embed_dim, patch_size, patch_size)
        self.cls_token = self.create_parameter([1, 1, embed_dim])
        self.pos_embed = self.create_parameter([1, (img_size // patch_size) ** 2 + 1, embed_dim])

    def forward(self, x):
        x = self.proj(x).flatten(2).transpose([0, 2, 1])
        return paddle.concat([self.cls_token.expand([x.shape[0], -1, -1]), x], 1) + self.pos_embed


def training_step_plain(model, optimizer, images, labels):
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    return float(loss)


def training_step_log(model, optimizer, images, labels):
    optimizer.clear_grad()
    logits = F.log_softmax(model(images), 1)
    loss = F.nll_loss(logits, labels)
    loss.backward()
    optimizer.step()


def evaluation_plain(model, images, labels):
    model.eval()
    with paddle.no_grad():
        return (model(images).argmax(1) == labels).astype("float32").mean().item()


def normalisation_plain(train, test):
    mean, std = train.mean(), train.std()
    return (train - mean) / std, (test - mean) / std
