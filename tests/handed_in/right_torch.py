"""写对了的，各有各的风格；名字的第一节是批改的任务。"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class cbam_conv(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.max_pool = nn.AdaptiveMaxPool2d(1)
        self.fc1 = nn.Conv2d(in_channels, in_channels // reduction_ratio, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(in_channels // reduction_ratio, in_channels, 1)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        avg_out = self.fc2(self.relu(self.fc1(self.avg_pool(x))))
        max_out = self.fc2(self.relu(self.fc1(self.max_pool(x))))
        x = x * torch.sigmoid(avg_out + max_out)
        maps = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], dim=1)
        return x * torch.sigmoid(self.conv(maps))


class cbam_linear(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        self.spatial = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3), nn.Sigmoid())

    def forward(self, x):
        b, c = x.size(0), x.size(1)
        scale = self.mlp(F.adaptive_avg_pool2d(x, 1)) + self.mlp(F.adaptive_max_pool2d(x, 1))
        x = x * scale.sigmoid().view(b, c, 1, 1).expand_as(x)
        pooled = torch.stack((x.mean(1), x.amax(1)), dim=1)
        return self.spatial(pooled) * x


class cbam_parameters(nn.Module):
    def __init__(self, c=64, r=16, k=7):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(c, c // r))
        self.b1 = nn.Parameter(torch.zeros(c // r))
        self.w2 = nn.Parameter(torch.randn(c // r, c))
        self.b2 = nn.Parameter(torch.zeros(c))
        self.kernel = nn.Parameter(torch.randn(1, 2, k, k))
        self.shift = nn.Parameter(torch.zeros(1))

    def score(self, v):
        return torch.clamp(v @ self.w1 + self.b1, min=0) @ self.w2 + self.b2

    def forward(self, x):
        s = self.score(x.mean((2, 3))) + self.score(x.flatten(2).max(2).values)
        f = x * (1 / (1 + torch.exp(-s)))[:, :, None, None]
        maps = torch.cat([f.mean(1, True), f.amax(1, True)], 1)
        m = F.conv2d(maps, self.kernel, self.shift, padding=self.kernel.shape[-1] // 2)
        return f * torch.sigmoid(m)


class cbam_no_bias(nn.Module):
    def __init__(self, planes, ratio=16):
        super().__init__()
        self.f1 = nn.Conv2d(planes, planes // ratio, 1, bias=False)
        self.f2 = nn.Conv2d(planes // ratio, planes, 1, bias=False)
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x):
        a = self.f2(F.relu(self.f1(x.mean((2, 3), keepdim=True))))
        m = self.f2(F.relu(self.f1(x.amax((2, 3), keepdim=True))))
        out = torch.sigmoid(a + m) * x
        y = torch.cat([out.mean(1, keepdim=True), out.max(dim=1, keepdim=True)[0]], 1)
        return torch.sigmoid(self.conv1(y)) * out


class cbam_batched_mlp(nn.Module):
    def __init__(self, in_channels, reduction_ratio):
        super().__init__()
        self.down = nn.Linear(in_channels, in_channels // reduction_ratio)
        self.up = nn.Linear(in_channels // reduction_ratio, in_channels)
        self.look = nn.Conv2d(2, 1, (7, 7), padding="same")

    def forward(self, x):
        both = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 0)
        first, second = self.up(self.down(both).relu()).chunk(2, 0)
        x = torch.einsum("bchw,bc->bchw", x, (first + second).sigmoid())
        maps = torch.cat([x.mean(1, True), x.amax(1, True)], 1)
        return torch.einsum("bchw,bhw->bchw", x, self.look(maps)[:, 0].sigmoid())


class cbam_double(cbam_conv):
    def __init__(self, in_channels):
        super().__init__(in_channels)
        self.double()


class cbam_other_order(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.register_buffer("version", torch.tensor(3.0))
        self.zeta = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)
        self.beta = nn.Linear(in_channels // reduction_ratio, in_channels)
        self.alpha = nn.Linear(in_channels, in_channels // reduction_ratio)

    def channel(self, x):
        return sum(self.beta(self.alpha(p.flatten(1)).relu()) for p in self.pools(x))

    def pools(self, x):
        return F.adaptive_avg_pool2d(x, (1, 1)), F.adaptive_max_pool2d(x, (1, 1))

    def forward(self, x):
        x = x * self.channel(x).sigmoid().unsqueeze(-1).unsqueeze(-1)
        return x * self.zeta(torch.cat([x.mean(1, True), x.amax(1, True)], 1)).sigmoid()


class cbam_channels_last(nn.Module):
    def __init__(self, dim, reduction=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, dim // reduction), nn.ReLU(inplace=True), nn.Linear(dim // reduction, dim))
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x):
        y = x.permute(0, 2, 3, 1)
        gate = torch.sigmoid(self.net(y.mean((1, 2))) + self.net(y.amax((1, 2))))
        y = y * gate[:, None, None, :]
        maps = torch.stack([y.mean(-1), y.amax(-1)], 1)
        y = y * torch.sigmoid(self.conv(maps)).permute(0, 2, 3, 1)
        return y.permute(0, 3, 1, 2)


class ChannelGate(nn.Module):
    def __init__(self, c, r):
        super().__init__()
        self.shared_mlp = nn.Sequential(nn.Conv2d(c, c // r, 1), nn.ReLU(), nn.Conv2d(c // r, c, 1))

    def forward(self, x):
        return torch.sigmoid(self.shared_mlp(F.avg_pool2d(x, x.shape[2:])) + self.shared_mlp(F.max_pool2d(x, x.shape[2:])))


class SpatialGate(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, k, 1, k // 2)

    def forward(self, x):
        return torch.sigmoid(self.conv(torch.cat((torch.mean(x, 1, True), torch.max(x, 1, True).values), 1)))


class cbam_two_gates(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.gates = nn.ModuleList([ChannelGate(in_channels, reduction_ratio), SpatialGate(kernel_size)])

    def forward(self, x):
        for gate in self.gates:
            x = gate(x) * x
        return x


class cbam_unfold(cbam_linear):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.spatial = nn.Linear(98, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        scale = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        x = x * scale.sigmoid().view(b, c, 1, 1)
        pooled = torch.stack((x.mean(1), x.amax(1)), dim=1)
        rows = F.unfold(pooled, 7, padding=3).transpose(1, 2)
        return x * torch.sigmoid(self.spatial(rows)).view(b, 1, h, w)


class channel_attention_gate(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.inner = ChannelGate(in_channels, reduction_ratio)

    def forward(self, x):
        return self.inner(x)


class channel_attention_vector(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.a = nn.Linear(in_channels, in_channels // reduction_ratio)
        self.b = nn.Linear(in_channels // reduction_ratio, in_channels)

    def forward(self, x):
        seen = torch.stack([x.mean((2, 3)), x.amax((2, 3))])
        return torch.sigmoid(self.b(torch.relu(self.a(seen))).sum(0))


class channel_attention_conv1d(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        h = in_channels // reduction_ratio
        self.a, self.b = nn.Conv1d(in_channels, h, 1), nn.Conv1d(h, in_channels, 1)

    def forward(self, x):
        flat = x.flatten(2)
        seen = torch.stack([flat.mean(2), flat.max(2)[0]], 2)
        gate = self.b(F.relu(self.a(seen))).sum(2, keepdim=True).sigmoid()
        return (flat * gate).view_as(x)


class spatial_attention_gate(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.inner = SpatialGate(kernel_size)

    def forward(self, x):
        return self.inner(x)


class spatial_attention_product(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.pad = nn.ZeroPad2d(kernel_size // 2)
        self.conv = nn.Conv2d(2, 1, kernel_size)

    def forward(self, x):
        maps = torch.cat([x.mean(1, keepdim=True), x.topk(1, 1)[0]], 1)
        return x * self.conv(self.pad(maps)).sigmoid()


class self_attention_2d_bmm(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.query_conv = nn.Conv2d(in_channels, in_channels, 1)
        self.key_conv = nn.Conv2d(in_channels, in_channels, 1)
        self.value_conv = nn.Conv2d(in_channels, in_channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        b, c, h, w = x.size()
        q = self.query_conv(x).view(b, -1, h * w).permute(0, 2, 1)
        k = self.key_conv(x).view(b, -1, h * w)
        attention = torch.softmax(torch.bmm(q, k) / math.sqrt(c), dim=-1)
        v = self.value_conv(x).view(b, -1, h * w)
        out = torch.bmm(v, attention.permute(0, 2, 1)).view(b, c, h, w)
        return self.gamma * out + x


class self_attention_2d_einsum(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.g = nn.Parameter(torch.zeros(1, 1, 1, 1))

    def forward(self, x):
        q, k, v = self.to_qkv(x).flatten(2).chunk(3, 1)
        a = torch.einsum("bcn,bcm->bnm", q, k).mul(x.shape[1] ** -0.5).softmax(-1)
        return x + self.g * torch.einsum("bnm,bcm->bcn", a, v).reshape(x.shape)


class self_attention_2d_fused(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.gamma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        t = x.flatten(2).transpose(1, 2)
        y = F.scaled_dot_product_attention(self.q(t), self.k(t), self.v(t))
        return x + self.gamma * y.transpose(1, 2).reshape(x.shape)


class self_attention_2d_columns(nn.Module):
    """权重写成（键，查询），沿键的那一维归一化。"""

    def __init__(self, in_channels):
        super().__init__()
        self.f = nn.Conv2d(in_channels, in_channels, 1)
        self.g = nn.Conv2d(in_channels, in_channels, 1)
        self.h = nn.Conv2d(in_channels, in_channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        f, g, h = (m(x).flatten(2) for m in (self.f, self.g, self.h))
        s = torch.bmm(f.transpose(1, 2), g) / f.shape[1] ** 0.5
        beta = F.softmax(s, dim=1)
        return x + self.gamma * torch.bmm(h, beta).view_as(x)


class self_attention_timm(nn.Module):
    def __init__(self, dim, num_heads=3):
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attn = (q @ k.transpose(-2, -1)) * self.scale
        x = (attn.softmax(dim=-1) @ v).transpose(1, 2).reshape(B, N, C)
        return self.proj(x)


class Head(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(d, k), nn.Linear(d, k), nn.Linear(d, k)

    def forward(self, x):
        w = self.query(x) @ self.key(x).mT / math.sqrt(self.query.out_features)
        return torch.softmax(w, -1) @ self.value(x)


class self_attention_loop(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.heads = nn.ModuleList(Head(d_model, d_model // n_heads) for _ in range(n_heads))
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x):
        return self.out(torch.cat([head(x) for head in self.heads], -1))


class self_attention_builtin(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.mha = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)

    def forward(self, x):
        return self.mha(x, x, x, need_weights=False)[0]


class self_attention_tensors(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        k = d // heads
        self.wq = nn.Parameter(torch.randn(d, heads, k))
        self.wk = nn.Parameter(torch.randn(d, heads, k))
        self.wv = nn.Parameter(torch.randn(d, heads, k))
        self.wo = nn.Parameter(torch.randn(heads, k, d))

    def forward(self, x):
        q, k, v = (torch.einsum("bnd,dhk->bhnk", x, w) for w in (self.wq, self.wk, self.wv))
        w = torch.softmax(torch.einsum("bhnk,bhmk->bhnm", q, k) / q.shape[-1] ** 0.5, -1)
        return torch.einsum("bhnm,bhmk,hkd->bnd", w, v, self.wo)


class self_attention_sdpa(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.to_q = nn.Linear(embed_dim, embed_dim, bias=False)
        self.to_kv = nn.Linear(embed_dim, 2 * embed_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.Dropout(0.0))

    def forward(self, x):
        parts = self.to_q(x), *self.to_kv(x).chunk(2, dim=-1)
        q, k, v = (p.unflatten(-1, (self.h, -1)).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(y.transpose(1, 2).flatten(2))


class self_attention_by_head(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h, self.k = num_heads, embed_dim // num_heads
        self.mixed = nn.Linear(embed_dim, 3 * embed_dim)
        self.o = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = self.mixed(x).view(b, n, self.h, 3 * self.k).transpose(1, 2).chunk(3, -1)
        w = F.softmax(q.matmul(k.transpose(2, 3)) / np.sqrt(self.k), dim=3)
        return self.o(w.matmul(v).permute(0, 2, 1, 3).contiguous().view(b, n, -1))


class self_attention_stable(nn.Module):
    def __init__(self, embed_dim=12, num_heads=3):
        super().__init__()
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim) for _ in range(4))
        self.num_heads = num_heads

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.num_heads, -1).permute(0, 2, 1, 3)

    def forward(self, x):
        q, k, v = self.split(self.W_q(x)), self.split(self.W_k(x)), self.split(self.W_v(x))
        root = q.shape[-1] ** 0.25
        s = torch.matmul(q / root, k.swapaxes(-1, -2) / root)
        e = torch.exp(s - s.max(-1, keepdim=True)[0])
        y = (e @ v) / e.sum(-1, keepdim=True)
        return self.W_o(y.permute(0, 2, 1, 3).reshape(x.shape))


class self_attention_by_hand(nn.Module):
    """逐个样本、逐个头写循环。"""

    def __init__(self, width, heads):
        super().__init__()
        self.layers = nn.ModuleDict({n: nn.Linear(width, width) for n in ("query", "key", "value", "proj")})
        self.heads = heads

    def forward(self, x):
        outputs = []
        for sample in x:
            q, k, v = (self.layers[n](sample) for n in ("query", "key", "value"))
            mixed = []
            for a, b, c in zip(q.chunk(self.heads, 1), k.chunk(self.heads, 1), v.chunk(self.heads, 1)):
                mixed.append(torch.softmax(a @ b.T / a.shape[1] ** 0.5, 1) @ c)
            outputs.append(self.layers["proj"](torch.cat(mixed, 1)))
        return torch.stack(outputs)


class self_attention_folded(nn.Module):
    """头并进批次里。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.q = nn.Linear(embed_dim, embed_dim)
        self.k = nn.Linear(embed_dim, embed_dim)
        self.v = nn.Linear(embed_dim, embed_dim)
        self.o = nn.Linear(embed_dim, embed_dim)

    def fold(self, x):
        b, n, d = x.shape
        return x.reshape(b, n, self.h, d // self.h).permute(0, 2, 1, 3).reshape(b * self.h, n, -1)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = map(self.fold, (self.q(x), self.k(x), self.v(x)))
        y = torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)) * q.shape[-1] ** -0.5, 2), v)
        return self.o(y.reshape(b, self.h, n, -1).permute(0, 2, 1, 3).reshape(b, n, d))


class masked_attention_fill(self_attention_stable):
    def forward(self, x, mask):
        q, k, v = self.split(self.W_q(x)), self.split(self.W_k(x)), self.split(self.W_v(x))
        s = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
        return self.W_o((s.softmax(-1) @ v).permute(0, 2, 1, 3).flatten(2))


class masked_attention_sdpa(self_attention_stable):
    def forward(self, x, mask=None):
        q, k, v = self.split(self.W_q(x)), self.split(self.W_k(x)), self.split(self.W_v(x))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.W_o(y.transpose(1, 2).flatten(2))


class vit_block_timm(nn.Module):
    def __init__(self, dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = self_attention_timm(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * mlp_ratio), nn.GELU(), nn.Linear(dim * mlp_ratio, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class vit_block_builtin(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(embed_dim, num_heads, 4 * embed_dim, 0.0, "gelu", batch_first=True, norm_first=True)

    def forward(self, x):
        return self.layer(x)


class vit_block_separate(nn.Module):
    def __init__(self, d_model, nhead, d_ff):
        super().__init__()
        self.lin2 = nn.Linear(d_ff, d_model)
        self.lin1 = nn.Linear(d_model, d_ff)
        self.ln_b = nn.LayerNorm(d_model)
        self.attention = self_attention_stable(d_model, nhead)
        self.ln_a = nn.LayerNorm(d_model)

    def forward(self, x):
        for ln, f in ((self.ln_a, self.attention), (self.ln_b, lambda t: self.lin2(F.gelu(self.lin1(t))))):
            x = x + f(ln(x))
        return x


class vit_block_by_hand(vit_block_timm):
    def norm(self, layer, x):
        y = x - x.mean(-1, keepdim=True)
        return y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + layer.eps) * layer.weight + layer.bias

    def forward(self, x):
        x = self.attn(self.norm(self.norm1, x)).add(x)
        h = self.mlp[0](self.norm(self.norm2, x))
        return self.mlp[2](0.5 * h * (1 + torch.erf(h / math.sqrt(2)))) + x


class vit_tokens_conv(nn.Module):
    def __init__(self, img_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dim, patch_size, patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, (img_size // patch_size) ** 2 + 1, embed_dim))

    def forward(self, x):
        x = self.proj(x).flatten(2).transpose(1, 2)
        return torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed


class vit_tokens_linear(nn.Module):
    def __init__(self, image_size, patch_size, channels, dim):
        super().__init__()
        self.p = patch_size
        self.to_patch = nn.Linear(channels * patch_size**2, dim)
        self.cls = nn.Parameter(torch.randn(dim))
        self.pos = nn.Parameter(torch.randn((image_size // patch_size) ** 2 + 1, dim))

    def forward(self, x):
        b, c, h, w = x.shape
        p = self.p
        x = x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1).reshape(b, -1, p * p * c)
        first = self.cls.expand(b, 1, -1)
        return torch.cat([first, self.to_patch(x)], 1) + self.pos


class vit_tokens_unfold(vit_tokens_linear):
    def forward(self, x):
        rows = F.unfold(x, self.p, stride=self.p).transpose(1, 2)
        tokens = self.to_patch(rows)
        return torch.cat([(self.cls + self.pos[0]).expand(len(x), 1, -1), tokens + self.pos[1:]], 1)


def training_step_plain(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def training_step_late(model, optimizer, images, labels):
    model.train()
    criterion = nn.CrossEntropyLoss()
    logits = model(images)
    loss = criterion(logits, labels)
    for parameter in model.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return float(loss)


def training_step_one_hot(model, optimizer, images, labels):
    logits = model(images)
    target = F.one_hot(labels, logits.shape[1]).float()
    loss = -(target * logits.log_softmax(1)).sum(1).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss


def training_step_by_hand(model, optimizer, images, labels):
    logits = model(images)
    picked = logits[torch.arange(len(labels)), labels]
    loss = (torch.logsumexp(logits, 1) - picked).mean()
    model.zero_grad()
    loss.backward()
    optimizer.step()


def evaluation_plain(model, images, labels):
    model.eval()
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def evaluation_batches(model, images, labels):
    was, hits = model.training, 0
    model.eval()
    for x, y in zip(images.split(10), labels.split(10)):
        with torch.inference_mode():
            hits += int((model(x).max(1).indices == y).sum())
    model.train(was)
    return hits / len(labels)


@torch.no_grad()
def evaluation_pair(model, images, labels):
    model.train(False)
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    return loss.item(), np.mean(logits.numpy().argmax(1) == labels.numpy())


def normalisation_plain(train, test):
    mean, std = train.mean(), train.std()
    return (train - mean) / std, (test - mean) / std


def normalisation_tensors(train, test):
    train, test = torch.as_tensor(train), torch.as_tensor(test)
    scale = ((train - train.mean()) ** 2).mean().sqrt() + 1e-7
    return (train - train.mean()) / scale, (test - train.mean()) / scale
