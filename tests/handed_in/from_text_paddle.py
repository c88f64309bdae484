"""写对的，照练习题的文字写；写的人没有看程序库里的实现，可是见过批改的一部分。

名字的第一节是批改的任务；怎样写、参数叫什么，照写的人自己的习惯。
"""

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn


class channel_attention_text_conv(nn.Layer):
    def __init__(self, channels, ratio=16):
        super().__init__()
        self.squeeze = nn.Conv2D(channels, channels // ratio, 1)
        self.excite = nn.Conv2D(channels // ratio, channels, 1)

    def mlp(self, vector):
        return self.excite(F.relu(self.squeeze(vector)))

    def forward(self, x):
        avg = x.mean(axis=[2, 3], keepdim=True)
        mx = x.max(axis=[2, 3], keepdim=True)
        return F.sigmoid(self.mlp(avg) + self.mlp(mx)) * x


class channel_attention_text_sequential(nn.Layer):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels, in_channels // reduction, bias_attr=False),
            nn.ReLU(),
            nn.Linear(in_channels // reduction, in_channels, bias_attr=False),
        )
        self.pools = nn.LayerList([nn.AdaptiveAvgPool2D(1), nn.AdaptiveMaxPool2D(1)])
        self.act = nn.Sigmoid()

    def forward(self, feature):
        total = 0
        for pool in self.pools:
            total = total + self.mlp(pool(feature))
        return feature * self.act(total).unsqueeze([2, 3])


class channel_attention_text_one_pass(nn.Layer):
    """两个描述摞在批上，一次过 MLP。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.first = nn.Linear(in_channels, in_channels // reduction_ratio)
        self.second = nn.Linear(in_channels // reduction_ratio, in_channels)

    def forward(self, x):
        flat = x.flatten(2)
        two = paddle.stack([flat.mean(-1), flat.max(-1)])
        scores = self.second(paddle.clip(self.first(two), min=0)).sum(0)
        return paddle.einsum("bc,bchw->bchw", 1 / (1 + paddle.exp(-scores)), x)


class channel_attention_text_matrices(nn.Layer):
    def __init__(self, c, r=16):
        super().__init__()
        self.W0 = self.create_parameter([c, c // r])
        self.W1 = self.create_parameter([c // r, c])

    def forward(self, f):
        n, c = f.shape[:2]
        both = [f.reshape([n, c, -1]).mean(2), f.reshape([n, c, -1]).max(2)]
        a, m = (paddle.matmul(F.relu(v @ self.W0), self.W1) for v in both)
        return F.sigmoid(a + m).reshape([n, c, 1, 1]) * f


class spatial_attention_text_plain(nn.Layer):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2D(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        avg = paddle.mean(x, axis=1, keepdim=True)
        mx = paddle.max(x, axis=1, keepdim=True)
        return x * F.sigmoid(self.conv(paddle.concat((avg, mx), axis=1)))


class spatial_attention_text_same(nn.Layer):
    """照题里给的签名收 in_channels，用不着它。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.seven = nn.Conv2D(2, 1, kernel_size, padding="SAME", bias_attr=False)

    def forward(self, x):
        maps = paddle.stack([x.mean(1), x.max(1)], axis=1)
        return paddle.multiply(x, F.sigmoid(self.seven(maps)).expand_as(x))


class spatial_attention_text_unfolded(nn.Layer):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.k = kernel_size
        self.weight = self.create_parameter([1, 2, kernel_size, kernel_size])
        self.bias = self.create_parameter([1], is_bias=True)

    def forward(self, x):
        b, _, h, w = x.shape
        maps = paddle.concat([x.mean(1, True), x.max(1, True)], 1)
        columns = F.unfold(maps, self.k, paddings=self.k // 2)
        scores = paddle.matmul(self.weight.reshape([1, -1]), columns) + self.bias
        return x * F.sigmoid(scores.reshape([b, 1, h, w]))


class cbam_text_whole(nn.Layer):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        mid = in_channels // reduction_ratio
        self.fc1, self.fc2 = nn.Linear(in_channels, mid), nn.Linear(mid, in_channels)
        self.conv = nn.Conv2D(2, 1, kernel_size, padding=(kernel_size - 1) // 2)

    def forward(self, x):
        pooled = (x.mean([-2, -1]), x.amax([-2, -1]))
        mc = F.sigmoid(sum(self.fc2(F.relu(self.fc1(p))) for p in pooled))
        refined = mc.unsqueeze(-1).unsqueeze(-1) * x
        stats = (refined.mean(1, keepdim=True), refined.amax(1, keepdim=True))
        return F.sigmoid(self.conv(paddle.concat(stats, 1))) * refined


class _ChannelGate(nn.Layer):
    def __init__(self, c, r):
        super().__init__()
        self.shared = nn.Sequential(
            nn.Conv2D(c, c // r, 1, bias_attr=False),
            nn.ReLU(),
            nn.Conv2D(c // r, c, 1, bias_attr=False),
        )

    def forward(self, x):
        mean = self.shared(F.adaptive_avg_pool2d(x, (1, 1)))
        peak = self.shared(F.max_pool2d(x, x.shape[-2:]))
        return F.sigmoid(mean + peak)


class _SpatialGate(nn.Layer):
    def __init__(self, k):
        super().__init__()
        self.body = nn.Sequential(
            nn.Pad2D(k // 2), nn.Conv2D(2, 1, k, bias_attr=False)
        )

    def forward(self, x):
        pair = paddle.concat([x.mean(1, keepdim=True), x.max(1, keepdim=True)], 1)
        return F.sigmoid(self.body(pair))


class cbam_text_two_gates(nn.Layer):
    def __init__(self, channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.spatial = _SpatialGate(kernel_size)
        self.channel = _ChannelGate(channels, reduction_ratio)

    def forward(self, x):
        for gate in (self.channel, self.spatial):
            x = gate(x) * x
        return x


class cbam_text_double(nn.Layer):
    """里面用双精度算，交回来的同输入。"""

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        h = in_channels // reduction_ratio
        self.down = nn.Linear(in_channels, h)
        self.up = nn.Linear(h, in_channels)
        self.conv = nn.Conv2D(2, 1, kernel_size, padding=kernel_size // 2)
        self.to(dtype="float64")

    def forward(self, x):
        f = x.astype("float64")
        score = self.up(F.relu(self.down(f.mean([2, 3]))))
        score = score + self.up(F.relu(self.down(f.max([2, 3]))))
        f = f * F.sigmoid(score).unsqueeze([2, 3])
        maps = paddle.stack((f.mean(1), f.max(1)), 1)
        return (f * F.sigmoid(self.conv(maps))).astype(x.dtype)


class cbam_text_dictionary(nn.Layer):
    """零件放在字典里，还记着走过几次。"""

    def __init__(self, in_channels=64, reduction_ratio=16, kernel_size=7):
        super().__init__()
        small = max(1, in_channels // reduction_ratio)
        self.register_buffer("calls", paddle.zeros([1], dtype="int64"))
        self.layers = nn.LayerDict(
            {
                "b_out": nn.Linear(small, in_channels),
                "a_in": nn.Linear(in_channels, small),
                "map": nn.Conv2D(2, 1, (kernel_size, kernel_size), padding=3),
            }
        )

    def forward(self, x):
        self.calls += 1
        parts = self.layers
        vectors = paddle.stack([x.mean([2, 3]), x.max([2, 3])], 0)
        m = F.sigmoid(parts["b_out"](F.relu(parts["a_in"](vectors))).sum(axis=0))
        x = x * m.reshape([*m.shape, 1, 1])
        s = paddle.concat([x.mean(1, keepdim=True), x.max(1, keepdim=True)], 1)
        return x * F.sigmoid(parts["map"](s))


class self_attention_2d_text_bmm(nn.Layer):
    def __init__(self, channels):
        super().__init__()
        self.to_q = nn.Conv2D(channels, channels, kernel_size=1)
        self.to_k = nn.Conv2D(channels, channels, kernel_size=1)
        self.to_v = nn.Conv2D(channels, channels, kernel_size=1)
        self.gamma = self.create_parameter(
            [1], default_initializer=nn.initializer.Constant(0.0)
        )

    def forward(self, x):
        n, c, h, w = x.shape
        q = self.to_q(x).reshape([n, c, h * w]).transpose([0, 2, 1])
        k = self.to_k(x).reshape([n, c, h * w])
        v = self.to_v(x).reshape([n, c, h * w]).transpose([0, 2, 1])
        attn = F.softmax(paddle.bmm(q, k) / math.sqrt(c), axis=2)
        y = paddle.bmm(attn, v).transpose([0, 2, 1]).reshape([n, c, h, w])
        return x + self.gamma * y


class self_attention_2d_text_fused(nn.Layer):
    """三个投影并成一个。"""

    def __init__(self, in_channels):
        super().__init__()
        self.qkv = nn.Conv2D(in_channels, 3 * in_channels, 1)
        self.gamma = self.create_parameter([1], is_bias=True)

    def forward(self, x):
        joined = self.qkv(x).flatten(2).transpose([0, 2, 1])
        q, k, v = paddle.split(joined, 3, axis=-1)
        scores = paddle.matmul(q, k, transpose_y=True) * x.shape[1] ** -0.5
        out = paddle.matmul(F.softmax(scores), v)
        return x + self.gamma * out.transpose([0, 2, 1]).reshape(x.shape)


class self_attention_2d_text_planes(nn.Layer):
    """不展平：打分是五个轴的。"""

    def __init__(self, in_channels):
        super().__init__()
        self.q = nn.Linear(in_channels, in_channels)
        self.k = nn.Linear(in_channels, in_channels)
        self.v = nn.Linear(in_channels, in_channels)
        self.g = self.create_parameter([1], is_bias=True)

    def forward(self, x):
        last = x.transpose([0, 2, 3, 1])
        q, k, v = self.q(last), self.k(last), self.v(last)
        scores = paddle.einsum("bhwc,bijc->bhwij", q, k) * x.shape[1] ** -0.5
        weights = F.softmax(scores.flatten(3), -1).reshape(scores.shape)
        return x + self.g * paddle.einsum("bhwij,bijc->bchw", weights, v)


class self_attention_text_fused(nn.Layer):
    """现成的一步：它的次序是 (B, N, 头, 宽)。"""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias_attr=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        qkv = self.qkv(x).reshape([b, n, 3, self.heads, d // self.heads])
        q, k, v = paddle.unbind(qkv, 2)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.reshape([b, n, d]))


class self_attention_text_loop(nn.Layer):
    """一个头一个头地算。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a, self.k = num_heads, embed_dim // num_heads
        self.wq = nn.Linear(embed_dim, embed_dim)
        self.wk = nn.Linear(embed_dim, embed_dim)
        self.wv = nn.Linear(embed_dim, embed_dim)
        self.wo = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        pieces = []
        for q, k, v in zip(
            self.wq(x).split(self.a, -1),
            self.wk(x).split(self.a, -1),
            self.wv(x).split(self.a, -1),
            strict=True,
        ):
            a = paddle.exp(q @ k.transpose([0, 2, 1]) / math.sqrt(self.k))
            pieces.append((a / a.sum(-1, keepdim=True)) @ v)
        return self.wo(paddle.concat(pieces, -1))


class self_attention_text_ready_made(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.attn = nn.MultiHeadAttention(embed_dim, num_heads)

    def forward(self, x):
        return self.attn(x, x, x)


class masked_attention_text_infinite(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.h = num_heads
        self.qkv = nn.Linear(embed_dim, embed_dim * 3)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen):
        b, n, d = x.shape
        q, k, v = (
            t.reshape([b, n, self.h, -1]).transpose([0, 2, 1, 3])
            for t in self.qkv(x).split(3, axis=2)
        )
        scores = q @ k.transpose([0, 1, 3, 2]) / math.sqrt(d // self.h)
        scores = paddle.where(seen, scores, paddle.full_like(scores, -float("inf")))
        y = F.softmax(scores, -1) @ v
        return self.proj(y.transpose([0, 2, 1, 3]).reshape([b, n, d]))


class vit_tokens_text_unfold(nn.Layer):
    """展开成小块，过全连接。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.p = patch_size
        n = (image_size // patch_size) ** 2
        self.embed = nn.Linear(in_channels * patch_size**2, embed_dim)
        self.cls = self.create_parameter([embed_dim], is_bias=True)
        self.pos = self.create_parameter([n + 1, embed_dim])

    def forward(self, img):
        patches = F.unfold(img, self.p, strides=self.p).transpose([0, 2, 1])
        z = self.embed(patches)
        cls = self.cls.expand([len(img), 1, self.cls.shape[0]])
        return paddle.concat((cls, z), axis=1) + self.pos


class vit_block_text_own(nn.Layer):
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


class vit_block_text_ready_made(nn.Layer):
    def __init__(self, dim, heads, mlp_ratio=4):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            dim,
            heads,
            dim * mlp_ratio,
            dropout=0.0,
            activation="gelu",
            normalize_before=True,
        )

    def forward(self, z):
        return self.layer(z)


def training_step_text_criterion(model, optimizer, images, labels):
    criterion = nn.CrossEntropyLoss()
    optimizer.clear_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluation_text_inference(model, images, labels):
    model.eval()
    with paddle.no_grad():
        predicted = F.softmax(model(images), -1).argmax(-1)
    return (predicted == labels).astype("float32").mean().item()


def normalisation_text_constants(train, test):
    mu, sigma = np.mean(train), np.std(train)
    return tuple((part - mu) / sigma for part in (train, test))
