"""写对的，照练习题的文字写；写的人没有看程序库里的实现，可是见过批改的一部分。

名字的第一节是批改的任务；怎样写、参数叫什么，照写的人自己的习惯。
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class channel_attention_text_conv(nn.Module):
    def __init__(self, channels, ratio=16):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // ratio, 1)
        self.excite = nn.Conv2d(channels // ratio, channels, 1)

    def mlp(self, vector):
        return self.excite(torch.relu(self.squeeze(vector)))

    def forward(self, x):
        avg = x.mean(dim=(2, 3), keepdim=True)
        mx = x.amax(dim=(2, 3), keepdim=True)
        return torch.sigmoid(self.mlp(avg) + self.mlp(mx)) * x


class channel_attention_text_sequential(nn.Module):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels, in_channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // reduction, in_channels, bias=False),
        )
        self.pools = nn.ModuleList([nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)])
        self.act = nn.Sigmoid()

    def forward(self, feature):
        total = 0
        for pool in self.pools:
            total = total + self.mlp(pool(feature))
        return feature * self.act(total)[:, :, None, None]


class channel_attention_text_one_pass(nn.Module):
    """两个描述摞在批上，一次过 MLP。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.first = nn.Linear(in_channels, in_channels // reduction_ratio)
        self.second = nn.Linear(in_channels // reduction_ratio, in_channels)

    def forward(self, x):
        flat = x.flatten(2)
        two = torch.stack([flat.mean(-1), flat.max(-1).values])
        scores = self.second(self.first(two).clamp(min=0)).sum(0)
        return torch.einsum("bc,bchw->bchw", 1 / (1 + torch.exp(-scores)), x)


class channel_attention_text_matrices(nn.Module):
    def __init__(self, c, r=16):
        super().__init__()
        self.W0 = nn.Parameter(torch.randn(c, c // r) / math.sqrt(c))
        self.W1 = nn.Parameter(torch.randn(c // r, c) / math.sqrt(c // r))

    def forward(self, f):
        n, c = f.shape[:2]
        both = [f.reshape(n, c, -1).mean(2), f.reshape(n, c, -1).max(2)[0]]
        a, m = (torch.where(v @ self.W0 > 0, v @ self.W0, 0.0) @ self.W1 for v in both)
        return (a + m).sigmoid().view(n, c, 1, 1) * f


class spatial_attention_text_plain(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        avg = torch.mean(x, dim=1, keepdim=True)
        mx, _ = torch.max(x, dim=1, keepdim=True)
        return x * torch.sigmoid(self.conv(torch.cat((avg, mx), dim=1)))


class spatial_attention_text_same(nn.Module):
    """照题里给的签名收 in_channels，用不着它。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.seven = nn.Conv2d(2, 1, kernel_size, padding="same", bias=False)

    def forward(self, x):
        maps = torch.stack([x.mean(1), x.amax(1)], dim=1)
        return x.mul(self.seven(maps).sigmoid().expand_as(x))


class spatial_attention_text_unfolded(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.k = kernel_size
        self.weight = nn.Parameter(0.1 * torch.randn(1, 2, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        b, _, h, w = x.shape
        maps = torch.cat([x.mean(1, True), x.max(1, True)[0]], 1)
        columns = F.unfold(maps, self.k, padding=self.k // 2)
        scores = self.weight.reshape(1, -1) @ columns + self.bias
        return x * scores.view(b, 1, h, w).sigmoid()


class cbam_text_whole(nn.Module):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        mid = in_channels // reduction_ratio
        self.fc1, self.fc2 = nn.Linear(in_channels, mid), nn.Linear(mid, in_channels)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=(kernel_size - 1) // 2)

    def forward(self, x):
        pooled = (x.mean((-2, -1)), x.amax((-2, -1)))
        mc = torch.sigmoid(sum(self.fc2(F.relu(self.fc1(p))) for p in pooled))
        refined = mc.unsqueeze(-1).unsqueeze(-1) * x
        stats = (refined.mean(1, keepdim=True), refined.amax(1, keepdim=True))
        return torch.sigmoid(self.conv(torch.cat(stats, 1))) * refined


class _ChannelGate(nn.Module):
    def __init__(self, c, r):
        super().__init__()
        self.shared = nn.Sequential(
            nn.Conv2d(c, c // r, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(c // r, c, 1, bias=False),
        )

    def forward(self, x):
        mean = self.shared(F.adaptive_avg_pool2d(x, (1, 1)))
        peak = self.shared(F.max_pool2d(x, x.shape[-2:]))
        return F.sigmoid(mean + peak)


class _SpatialGate(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.body = nn.Sequential(nn.ZeroPad2d(k // 2), nn.Conv2d(2, 1, k, bias=False))

    def forward(self, x):
        pair = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True).values], 1)
        return F.sigmoid(self.body(pair))


class cbam_text_two_gates(nn.Module):
    def __init__(self, channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.spatial = _SpatialGate(kernel_size)
        self.channel = _ChannelGate(channels, reduction_ratio)

    def forward(self, x):
        for gate in (self.channel, self.spatial):
            x = gate(x) * x
        return x


class cbam_text_double(nn.Module):
    """里面用双精度算，交回来的同输入。"""

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        h = in_channels // reduction_ratio
        self.down = nn.Linear(in_channels, h).double()
        self.up = nn.Linear(h, in_channels).double()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2).double()

    def forward(self, x):
        f = x.double()
        score = self.up(self.down(f.mean((2, 3))).relu())
        score = score + self.up(self.down(f.amax((2, 3))).relu())
        f = f * score.sigmoid()[..., None, None]
        maps = torch.stack((f.mean(1), f.amax(1)), 1)
        return (f * self.conv(maps).sigmoid()).to(x.dtype)


class cbam_text_dictionary(nn.Module):
    """零件放在字典里，还记着走过几次。"""

    def __init__(self, in_channels=64, reduction_ratio=16, kernel_size=7):
        super().__init__()
        small = max(1, in_channels // reduction_ratio)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.layers = nn.ModuleDict(
            {
                "b_out": nn.Linear(small, in_channels),
                "a_in": nn.Linear(in_channels, small),
                "map": nn.Conv2d(2, 1, (kernel_size, kernel_size), padding=3),
            }
        )

    def forward(self, x):
        self.calls += 1
        parts = self.layers
        vectors = torch.stack([x.mean((2, 3)), x.amax((2, 3))], 0)
        m = parts["b_out"](F.relu(parts["a_in"](vectors))).sum(dim=0).sigmoid()
        x = x * m.view(*m.shape, 1, 1)
        s = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * parts["map"](s).sigmoid()


class self_attention_2d_text_bmm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.to_q = nn.Conv2d(channels, channels, kernel_size=1)
        self.to_k = nn.Conv2d(channels, channels, kernel_size=1)
        self.to_v = nn.Conv2d(channels, channels, kernel_size=1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        n, c, h, w = x.size()
        q = self.to_q(x).view(n, c, h * w).transpose(1, 2)
        k = self.to_k(x).view(n, c, h * w)
        v = self.to_v(x).view(n, c, h * w).transpose(1, 2)
        attn = torch.bmm(q, k).div(math.sqrt(c)).softmax(dim=2)
        y = torch.bmm(attn, v).transpose(1, 2).reshape(n, c, h, w)
        return x + self.gamma * y


class self_attention_2d_text_fused(nn.Module):
    """现成的一步，三个投影并成一个。"""

    def __init__(self, in_channels):
        super().__init__()
        self.qkv = nn.Conv2d(in_channels, 3 * in_channels, 1)
        self.gamma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        q, k, v = self.qkv(x).flatten(2).transpose(1, 2).chunk(3, dim=-1)
        out = F.scaled_dot_product_attention(q, k, v)
        return torch.addcmul(x, self.gamma, out.transpose(1, 2).reshape_as(x))


class self_attention_2d_text_planes(nn.Module):
    """不展平：打分是五个轴的。"""

    def __init__(self, in_channels):
        super().__init__()
        self.q = nn.Linear(in_channels, in_channels)
        self.k = nn.Linear(in_channels, in_channels)
        self.v = nn.Linear(in_channels, in_channels)
        self.g = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        last = x.permute(0, 2, 3, 1)
        q, k, v = self.q(last), self.k(last), self.v(last)
        scores = torch.einsum("bhwc,bijc->bhwij", q, k) * x.shape[1] ** -0.5
        weights = scores.flatten(3).softmax(-1).view_as(scores)
        return x + self.g * torch.einsum("bhwij,bijc->bchw", weights, v)


class self_attention_text_fused(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        qkv = self.qkv(x).view(b, n, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(b, n, d))


class self_attention_text_loop(nn.Module):
    """一个头一个头地算。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.k = embed_dim // num_heads
        self.wq = nn.Linear(embed_dim, embed_dim)
        self.wk = nn.Linear(embed_dim, embed_dim)
        self.wv = nn.Linear(embed_dim, embed_dim)
        self.wo = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        pieces = []
        for q, k, v in zip(
            self.wq(x).split(self.k, -1),
            self.wk(x).split(self.k, -1),
            self.wv(x).split(self.k, -1),
            strict=True,
        ):
            a = torch.exp(q @ k.mT / math.sqrt(self.k))
            pieces.append(a / a.sum(-1, keepdim=True) @ v)
        return self.wo(torch.cat(pieces, -1))


class self_attention_text_ready_made(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x, need_weights=False)[0]


class masked_attention_text_infinite(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.qkv = nn.Linear(embed_dim, embed_dim * 3)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen):
        b, n, d = x.shape
        q, k, v = (
            t.view(b, n, self.h, -1).transpose(1, 2)
            for t in self.qkv(x).split(d, dim=2)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.h)
        scores = scores.masked_fill(~seen, float("-inf"))
        y = scores.softmax(-1) @ v
        return self.proj(y.transpose(1, 2).contiguous().view(b, n, d))


class vit_tokens_text_unfold(nn.Module):
    """展开成小块，过全连接。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.p = patch_size
        n = (image_size // patch_size) ** 2
        self.embed = nn.Linear(in_channels * patch_size**2, embed_dim)
        self.cls = nn.Parameter(torch.zeros(embed_dim))
        self.pos = nn.Parameter(torch.randn(n + 1, embed_dim) * 0.02)

    def forward(self, img):
        patches = F.unfold(img, self.p, stride=self.p).transpose(1, 2)
        z = self.embed(patches)
        cls = self.cls.expand(len(img), 1, -1)
        return torch.cat((cls, z), dim=1) + self.pos


class vit_block_text_own(nn.Module):
    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.msa = self_attention_text_loop(embed_dim, num_heads)
        wide = embed_dim * mlp_ratio
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, wide), nn.GELU(), nn.Linear(wide, embed_dim)
        )

    def forward(self, z):
        z = z + self.msa(self.ln1(z))
        return z + self.mlp(self.ln2(z))


class vit_block_text_ready_made(nn.Module):
    def __init__(self, dim, heads, mlp_ratio=4):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            dim,
            heads,
            dim * mlp_ratio,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )

    def forward(self, z):
        return self.layer(z)


def training_step_text_criterion(model, optimizer, images, labels):
    criterion = nn.CrossEntropyLoss()
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluation_text_inference(model, images, labels):
    model.eval()
    with torch.inference_mode():
        predicted = model(images).softmax(-1).argmax(-1)
    return (predicted == labels).float().mean().item()


def normalisation_text_constants(train, test):
    mu, sigma = np.mean(train), np.std(train)
    return tuple((part - mu) / sigma for part in (train, test))
