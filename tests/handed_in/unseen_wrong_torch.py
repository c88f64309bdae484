"""写错的（PyTorch），第一行说错在哪里。写的人只拿到练习题的文字，没有见过程序库与批改。"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# ---------------------------------------------------------------- 通道注意力 3


class channel_attention_oops_two_mlps(nn.Module):
    """平均与最大各有一个 MLP，不是同一个。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.mlp_avg = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.ReLU(), nn.Linear(hidden, in_channels)
        )
        self.mlp_max = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.ReLU(), nn.Linear(hidden, in_channels)
        )

    def forward(self, x):
        a = self.mlp_avg(x.mean((2, 3)))
        m = self.mlp_max(x.amax((2, 3)))
        return x * torch.sigmoid(a + m)[..., None, None]


class channel_attention_oops_sigmoid_each(nn.Module):
    """两个描述各自先过 σ 再相加，门会大于 1。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)

    def score(self, d):
        return self.fc2(F.relu(self.fc1(d))).sigmoid()

    def forward(self, x):
        average = F.adaptive_avg_pool2d(x, 1).flatten(1)
        maximum = F.adaptive_max_pool2d(x, 1).flatten(1)
        gate = self.score(average) + self.score(maximum)
        return x * gate.reshape((*gate.shape, 1, 1))


class channel_attention_oops_no_relu(nn.Module):
    """MLP 的两层之间忘了 ReLU。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.mlp = nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.Conv2d(hidden, in_channels, 1))

    def forward(self, x):
        a = self.mlp(F.adaptive_avg_pool2d(x, 1))
        m = self.mlp(F.adaptive_max_pool2d(x, 1))
        return x * (a + m).sigmoid()


# ---------------------------------------------------------------- 空间注意力 2


class spatial_attention_oops_batchnorm(nn.Module):
    """卷积之后、σ 之前多了一层批归一化（还多学两个数）。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x):
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.bn(self.conv(maps)))


class spatial_attention_oops_replicate(nn.Module):
    """补的是边上的值（replicate），不是零：边上一圈的门不对。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2d(
            2, 1, kernel_size, padding=kernel_size // 2, padding_mode="replicate"
        )

    def forward(self, x):
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.conv(maps).sigmoid()


# ---------------------------------------------------------------- CBAM 2


class cbam_oops_parallel(nn.Module):
    """两道门都从原来的 x 算，空间门没有看过通道门之后的 F'。"""

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        score = sum(self.fc2(F.relu(self.fc1(d))) for d in (x.mean((2, 3)), x.amax((2, 3))))
        mc = score.sigmoid()[:, :, None, None]
        ms = self.conv(torch.cat([x.mean(1, True), x.amax(1, True)], 1)).sigmoid()
        return x * mc * ms


class cbam_oops_spatial_on_x(nn.Module):
    """空间门算得对，却乘回原来的 x，通道门只在算门时用了一次。"""

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.mlp = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, in_channels, 1)
        )
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        mc = self.mlp(x.mean((2, 3), True)) + self.mlp(x.amax((2, 3), True))
        refined = x * mc.sigmoid()
        maps = torch.cat([refined.mean(1, True), refined.amax(1, True)], 1)
        return x * self.conv(maps).sigmoid()


# ---------------------------------------------------------------- 特征图上的自注意力 3


class self_attention_2d_oops_no_scale(nn.Module):
    """打分忘了除以 √C。"""

    def __init__(self, in_channels):
        super().__init__()
        self.query = nn.Conv2d(in_channels, in_channels, 1)
        self.key = nn.Conv2d(in_channels, in_channels, 1)
        self.value = nn.Conv2d(in_channels, in_channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        q, k, v = (f(x).flatten(2) for f in (self.query, self.key, self.value))
        w = torch.softmax(torch.einsum("bcn,bcm->bnm", q, k), -1)
        return x + self.gamma * torch.einsum("bnm,bcm->bcn", w, v).reshape(x.shape)


class self_attention_2d_oops_reshape_not_transpose(nn.Module):
    """(B, C, H, W) 直接 reshape 成 (B, HW, C)，没有换轴，token 是乱的。"""

    def __init__(self, in_channels):
        super().__init__()
        self.qkv = nn.Conv2d(in_channels, 3 * in_channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = (t.reshape(b, h * w, c) for t in self.qkv(x).chunk(3, 1))
        a = (q @ k.transpose(1, 2) / math.sqrt(c)).softmax(-1)
        return x + self.gamma * (a @ v).reshape(b, c, h, w)


class self_attention_2d_oops_gamma_on_x(nn.Module):
    """γ 乘在了输入上，而不是乘在注意力上。"""

    def __init__(self, in_channels):
        super().__init__()
        self.q = nn.Linear(in_channels, in_channels)
        self.k = nn.Linear(in_channels, in_channels)
        self.v = nn.Linear(in_channels, in_channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        b, c, h, w = x.shape
        t = x.flatten(2).transpose(1, 2)
        a = F.scaled_dot_product_attention(self.q(t), self.k(t), self.v(t))
        return self.gamma * x + a.transpose(1, 2).reshape(b, c, h, w)


# ---------------------------------------------------------------- 多头 4


class self_attention_oops_no_merge_transpose(nn.Module):
    """混完的 (B, A, N, K) 没有换轴就 reshape 回 (B, N, D)。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        b, n, d = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        w = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        return self.proj((w @ v).reshape(b, n, d))


class self_attention_oops_no_projection(nn.Module):
    """各头拼起来就交回，忘了最后的投影。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        q, k, v = (
            f(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for f in (self.query, self.key, self.value)
        )
        w = F.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1)
        return (w @ v).transpose(1, 2).flatten(2)


class self_attention_oops_softmax_over_heads(nn.Module):
    """softmax 沿着头那一维（dim=1）做，权重不沿键归一。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a = num_heads
        self.wq = nn.Linear(embed_dim, embed_dim)
        self.wk = nn.Linear(embed_dim, embed_dim)
        self.wv = nn.Linear(embed_dim, embed_dim)
        self.wo = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = (
            f(x).view(b, n, self.a, d // self.a).transpose(1, 2)
            for f in (self.wq, self.wk, self.wv)
        )
        w = torch.softmax(q @ k.mT / math.sqrt(d // self.a), dim=1)
        return self.wo((w @ v).transpose(1, 2).reshape(b, n, d))


class self_attention_oops_scale_after_softmax(nn.Module):
    """缩放放到了 softmax 之后，每行权重的和是 1/√K。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.qkv(x).chunk(3, -1))
        w = torch.einsum("bnhk,bmhk->bhnm", q, k).softmax(-1) / q.shape[-1] ** 0.5
        return self.out(torch.einsum("bhnm,bmhk->bnhk", w, v).flatten(2))


# ---------------------------------------------------------------- 掩码 3


class masked_attention_oops_after_softmax(nn.Module):
    """softmax 之后才把看不见的权重乘成 0，没有重新归一化。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        q, k, v = (t.unflatten(-1, (self.h, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        w = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        if seen is not None:
            w = w * seen
        return self.out((w @ v).transpose(1, 2).flatten(2))


class masked_attention_oops_transposed(nn.Module):
    """掩码转置了：把（查询，键）当成（键，查询）。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.q = nn.Linear(embed_dim, embed_dim)
        self.k = nn.Linear(embed_dim, embed_dim)
        self.v = nn.Linear(embed_dim, embed_dim)
        self.o = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        q, k, v = (f(x).unflatten(-1, (self.h, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if seen is not None:
            s = s.masked_fill(~seen.T, -1e9)
        return self.o((s.softmax(-1) @ v).transpose(1, 2).flatten(2))


class masked_attention_oops_always_causal(nn.Module):
    """不看 seen，一律用下三角的因果掩码。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.c_attn = nn.Linear(embed_dim, 3 * embed_dim)
        self.c_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        q, k, v = (
            t.unflatten(-1, (self.h, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, -1)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=seen is not None)
        return self.c_proj(y.transpose(1, 2).flatten(2))


# ---------------------------------------------------------------- ViT 的入口 2


class vit_tokens_oops_token_last(nn.Module):
    """分类 token 接在了最后，而不是最前。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        count = (image_size // patch_size) ** 2
        self.patch = nn.Conv2d(in_channels, embed_dim, patch_size, patch_size)
        self.token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.position = nn.Parameter(torch.randn(1, count + 1, embed_dim) * 0.02)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        token = self.token.expand(len(x), -1, -1)
        return torch.cat([tokens, token], 1) + self.position


class vit_tokens_oops_extra_norm(nn.Module):
    """加完位置之后多做了一次层归一化，多学一层。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        count = (image_size // patch_size) ** 2
        self.patch = nn.Conv2d(in_channels, embed_dim, patch_size, patch_size)
        self.token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.position = nn.Parameter(torch.randn(1, count + 1, embed_dim) * 0.02)
        self.norm = nn.LayerNorm(embed_dim)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1)
        return self.norm(tokens + self.position)


# ---------------------------------------------------------------- ViT 的块 3


class vit_block_oops_parallel(nn.Module):
    """两条支路并排：MLP 看的是原来的 z，不是 z'。"""

    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim)
        self.attn = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, mlp_ratio * embed_dim),
            nn.GELU(),
            nn.Linear(mlp_ratio * embed_dim, embed_dim),
        )

    def forward(self, x):
        y = self.norm1(x)
        return x + self.attn(y, y, y, need_weights=False)[0] + self.mlp(self.norm2(x))


class vit_block_oops_shared_norm(nn.Module):
    """两条支路共用一个层归一化，少一层参数。"""

    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim)
        self.heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.fc1 = nn.Linear(embed_dim, mlp_ratio * embed_dim)
        self.fc2 = nn.Linear(mlp_ratio * embed_dim, embed_dim)

    def attention(self, x):
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1)
        )
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm(x))))


class vit_block_oops_second_residual_from_input(nn.Module):
    """第二条残差加的是块的输入 z，不是 z'：注意力支路只经过 MLP 出去。"""

    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim)
        self.attn = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.fc1 = nn.Linear(embed_dim, mlp_ratio * embed_dim)
        self.fc2 = nn.Linear(mlp_ratio * embed_dim, embed_dim)

    def forward(self, x):
        y = self.norm1(x)
        z = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.fc2(F.gelu(self.fc1(self.norm2(z))))


# ---------------------------------------------------------------- 训练的一步 3


def training_step_oops_zero_after_backward(model, optimizer, images, labels):
    """清零放在反向与更新之间，更新时没有梯度。"""
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def training_step_oops_sum_loss(model, optimizer, images, labels):
    """反向用的是求和的损失（交回的倒是平均的），梯度大了一个批次的倍数。"""
    loss = F.cross_entropy(model(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item() / len(labels)


def training_step_oops_loss_after_update(model, optimizer, images, labels):
    """交回的是更新之后重新算的损失，不是这一步的损失（还多前向了一次）。"""
    criterion = nn.CrossEntropyLoss()
    optimizer.zero_grad()
    criterion(model(images), labels).backward()
    optimizer.step()
    with torch.no_grad():
        return criterion(model(images), labels).item()


# ---------------------------------------------------------------- 评估 2


def evaluation_oops_mean_of_batches(model, images, labels):
    """分批算准确率再求平均，最后一批不足也算同样的份量。"""
    model.eval()
    accuracies = []
    with torch.no_grad():
        for x, y in zip(images.split(7), labels.split(7)):
            accuracies.append((model(x).argmax(1) == y).float().mean().item())
    return float(np.mean(accuracies))


def evaluation_oops_no_eval(model, images, labels):
    """只关了梯度，没有换到评估模式。"""
    with torch.no_grad():
        hits = model(images).argmax(1).eq(labels)
    return hits.double().mean().item()


# ---------------------------------------------------------------- 归一化 3


def normalisation_oops_overwritten(train, test):
    """先盖掉了 train，再用归一化过的 train 的平均与标准差（0 与 1）去做 test。"""
    train = (train - train.mean()) / train.std()
    test = (test - train.mean()) / train.std()
    return train, test


def normalisation_oops_pooled(train, test):
    """平均与标准差由训练集与测试集合起来算，测试集漏进了训练。"""
    both = np.concatenate([train, test])
    return (train - both.mean()) / both.std(), (test - both.mean()) / both.std()


def normalisation_oops_variance(train, test):
    """除以方差，不是标准差。"""
    mean, var = train.mean(), train.var()
    return (train - mean) / var, (test - mean) / var
