"""写错的（PaddlePaddle），第一行说错在哪里。写的人只拿到练习题的文字，没有见过程序库与批改。"""

import math

import paddle
from paddle import nn
from paddle.nn import functional as F


class channel_attention_oops_softmax_gate(nn.Layer):
    """最后压的是沿通道的 softmax，不是 σ。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)

    def forward(self, x):
        d = [x.mean([2, 3]), x.max([2, 3])]
        score = sum(self.fc2(F.relu(self.fc1(t))) for t in d)
        return x * F.softmax(score, 1).unsqueeze([2, 3])


class channel_attention_oops_relu_after_second(nn.Layer):
    """第二层之后又做了一次 ReLU，门不会小于 0.5。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Conv2D(in_channels, in_channels // reduction_ratio, 1),
            nn.ReLU(),
            nn.Conv2D(in_channels // reduction_ratio, in_channels, 1),
            nn.ReLU(),
        )

    def forward(self, x):
        a = self.mlp(F.adaptive_avg_pool2d(x, 1))
        m = self.mlp(F.adaptive_max_pool2d(x, 1))
        return x * F.sigmoid(a + m)



class spatial_attention_oops_shared_sum(nn.Layer):
    """两张图各过同一个单通道的卷积再相加（照搬通道注意力），少一半权重。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2D(1, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        a, m = x.mean(1, keepdim=True), x.max(1, keepdim=True)
        return x * F.sigmoid(self.conv(a) + self.conv(m))


class cbam_oops_gates_added(nn.Layer):
    """两道门的结果相加，而不是一道接一道。"""

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.fc1 = nn.Conv2D(in_channels, hidden, 1)
        self.fc2 = nn.Conv2D(hidden, in_channels, 1)
        self.conv = nn.Conv2D(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        pools = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        mc = F.sigmoid(sum(self.fc2(F.relu(self.fc1(p))) for p in pools))
        ms = F.sigmoid(self.conv(paddle.concat([x.mean(1, True), x.max(1, True)], 1)))
        return x * mc + x * ms


class self_attention_2d_oops_weights_transposed(nn.Layer):
    """softmax 沿键做对了，取值时却用了权重的转置：按查询那一维去加权。"""

    def __init__(self, in_channels):
        super().__init__()
        self.query = nn.Conv2D(in_channels, in_channels, 1)
        self.key = nn.Conv2D(in_channels, in_channels, 1)
        self.value = nn.Conv2D(in_channels, in_channels, 1)
        self.gamma = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x):
        c = x.shape[1]
        q, k, v = (f(x).flatten(2) for f in (self.query, self.key, self.value))
        w = F.softmax(paddle.bmm(q.transpose([0, 2, 1]), k) / math.sqrt(c), -1)
        return x + self.gamma * paddle.bmm(v, w).reshape(x.shape)


class self_attention_2d_oops_gamma_squashed(nn.Layer):
    """γ 先过了 σ 再乘：从 0.5 起步，也学不成负的。"""

    def __init__(self, in_channels):
        super().__init__()
        self.qkv = nn.Conv2D(in_channels, 3 * in_channels, 1)
        self.gamma = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x):
        q, k, v = (t.flatten(2) for t in self.qkv(x).chunk(3, axis=1))
        s = paddle.einsum("bcn,bcm->bnm", q, k) / x.shape[1] ** 0.5
        y = paddle.einsum("bnm,bcm->bcn", F.softmax(s, -1), v).reshape(x.shape)
        return x + F.sigmoid(self.gamma) * y


class self_attention_oops_scale_by_heads(nn.Layer):
    """除的是 √头数，不是 √每个头的宽。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape([b, n, 3, self.a, d // self.a]).unbind(2)
        w = F.softmax(paddle.einsum("bnak,bmak->banm", q, k) / self.a**0.5, -1)
        return self.proj(paddle.einsum("banm,bmak->bnak", w, v).reshape([b, n, d]))


class self_attention_oops_paddle_layout(nn.Layer):
    """照 PyTorch 的习惯把 (B, A, N, K) 交给 Paddle 的 sdpa，它要的是 (B, N, A, K)：成了头与头之间的注意力。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        b, n, d = x.shape
        q, k, v = (
            f(x).reshape([b, n, self.a, d // self.a]).transpose([0, 2, 1, 3])
            for f in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose([0, 2, 1, 3]).reshape([b, n, d]))


class masked_attention_oops_where_zero(nn.Layer):
    """看不见的打分换成 0，不是很小的数：exp(0) 仍是 1。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        b, n, d = x.shape
        q, k, v = (
            f(x).reshape([b, n, self.a, d // self.a]) for f in (self.query, self.key, self.value)
        )
        s = paddle.einsum("bnak,bmak->banm", q, k) / (d // self.a) ** 0.5
        if seen is not None:
            s = paddle.where(seen, s, paddle.zeros_like(s))
        return self.proj(paddle.einsum("banm,bmak->bnak", F.softmax(s, -1), v).flatten(2))


class vit_tokens_oops_shared_position(nn.Layer):
    """位置只有一行，N + 1 个 token 共用，等于没有位置。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.proj = nn.Conv2D(in_channels, embed_dim, patch_size, patch_size)
        self.cls = self.create_parameter([1, 1, embed_dim])
        self.pos = self.create_parameter([1, 1, embed_dim])

    def forward(self, x):
        t = self.proj(x).flatten(2).transpose([0, 2, 1])
        return paddle.concat([self.cls.expand([x.shape[0], -1, -1]), t], 1) + self.pos


class vit_block_oops_norm_on_branch_exit(nn.Layer):
    """归一化放在支路的出口：x + norm(支路(x))。"""

    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim)
        self.attn = nn.MultiHeadAttention(embed_dim, num_heads)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.fc1 = nn.Linear(embed_dim, mlp_ratio * embed_dim)
        self.fc2 = nn.Linear(mlp_ratio * embed_dim, embed_dim)

    def forward(self, x):
        x = x + self.norm1(self.attn(x))
        return x + self.norm2(self.fc2(F.gelu(self.fc1(x))))


def training_step_oops_label_smoothing(model, optimizer, images, labels):
    """损失里多了标签平滑 0.1，题目要的是普通的交叉熵。"""
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)(model(images), labels)
    optimizer.clear_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


def evaluation_oops_back_to_train(model, images, labels):
    """eval() 之后、前向之前又换回了训练模式。"""
    model.eval()
    model.train()
    with paddle.no_grad():
        hits = (model(images).argmax(1) == labels).astype("float32")
    return float(hits.mean())


def normalisation_oops_per_image(train, test):
    """每张图减自己的平均、除自己的标准差，不是训练集的。"""

    def each(a):
        axes = tuple(range(1, a.ndim))
        return (a - a.mean(axes, keepdims=True)) / a.std(axes, keepdims=True)

    return each(train), each(test)
