"""写对的（PaddlePaddle）。写的人只拿到练习题的文字，没有见过程序库与批改；各份互不引用。"""

import math

import numpy as np
import paddle
import paddle.nn as nn
import paddle.nn.functional as F


# ---------------------------------------------------------------- 通道注意力


class channel_attention_blind_conv(nn.Layer):
    """1×1 卷积当全连接，池化用层。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.max_pool = nn.AdaptiveMaxPool2D(1)
        self.shared = nn.Sequential(
            nn.Conv2D(in_channels, in_channels // reduction_ratio, 1),
            nn.ReLU(),
            nn.Conv2D(in_channels // reduction_ratio, in_channels, 1),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        out = self.shared(self.avg_pool(x)) + self.shared(self.max_pool(x))
        return x * self.sigmoid(out)


class channel_attention_blind_linear_score(nn.Layer):
    """Linear，小方法 score；不带偏置。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        hidden = in_channels // reduction_ratio
        self.squeeze = nn.Linear(in_channels, hidden, bias_attr=False)
        self.excite = nn.Linear(hidden, in_channels, bias_attr=False)

    def score(self, d):
        return self.excite(F.relu(self.squeeze(d)))

    def forward(self, x):
        avg = paddle.mean(x, axis=[2, 3])
        mx = paddle.amax(x, axis=[2, 3])
        gate = F.sigmoid(self.score(avg) + self.score(mx))
        return x * gate.unsqueeze(-1).unsqueeze(-1)


class channel_attention_blind_raw(nn.Layer):
    """create_parameter 自己建权重，两个描述在批次那一维拼起来过一次。"""

    def __init__(self, in_channels, reduction_ratio=16):
        super().__init__()
        r = in_channels // reduction_ratio
        self.w1 = self.create_parameter([r, in_channels])
        self.b1 = self.create_parameter([r], is_bias=True)
        self.w2 = self.create_parameter([in_channels, r])
        self.b2 = self.create_parameter([in_channels], is_bias=True)

    def forward(self, x):
        b, c = x.shape[0], x.shape[1]
        flat = x.reshape([b, c, -1])
        d = paddle.concat([flat.mean(-1), flat.max(-1)], axis=0)
        d = F.relu(paddle.matmul(d, self.w1, transpose_y=True) + self.b1)
        d = paddle.matmul(d, self.w2, transpose_y=True) + self.b2
        first, second = paddle.split(d, 2, axis=0)
        return x * F.sigmoid(first + second).reshape([b, c, 1, 1])


# ---------------------------------------------------------------- 空间注意力


class spatial_attention_blind_plain(nn.Layer):
    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.conv1 = nn.Conv2D(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        avg_out = paddle.mean(x, axis=1, keepdim=True)
        max_out = paddle.max(x, axis=1, keepdim=True)
        a = F.sigmoid(self.conv1(paddle.concat([avg_out, max_out], axis=1)))
        return x * a


class spatial_attention_blind_same_topk(nn.Layer):
    """padding="SAME"，最大值用 topk 取，stack 之后卷积。"""

    def __init__(self, in_channels, kernel_size=7):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2D(2, 1, kernel_size, padding="SAME"), nn.Sigmoid())

    def forward(self, x):
        top = x.topk(1, axis=1)[0].squeeze(1)
        return self.f(paddle.stack([x.mean(1), top], axis=1)).multiply(x)


# ---------------------------------------------------------------- CBAM


class cbam_blind_allinone(nn.Layer):
    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2D(2, 1, kernel_size, 1, (kernel_size - 1) // 2)
        self.fc2 = nn.Linear(in_channels // reduction_ratio, in_channels)
        self.fc1 = nn.Linear(in_channels, in_channels // reduction_ratio)

    def channel_gate(self, f):
        total = 0
        for pooled in (F.adaptive_avg_pool2d(f, 1), F.adaptive_max_pool2d(f, 1)):
            total = total + self.fc2(F.relu(self.fc1(pooled.flatten(1))))
        return F.sigmoid(total)[:, :, None, None]

    def spatial_gate(self, f):
        return F.sigmoid(self.conv(paddle.concat([f.mean(1, True), f.max(1, True)], 1)))

    def forward(self, f):
        f = f * self.channel_gate(f)
        return f * self.spatial_gate(f)


class cbam_blind_gates(nn.Layer):
    """两个小层只交出门。"""

    class Channel(nn.Layer):
        def __init__(self, c, r):
            super().__init__()
            self.fc = nn.Sequential(
                nn.Conv2D(c, c // r, 1, bias_attr=True), nn.ReLU(), nn.Conv2D(c // r, c, 1)
            )

        def forward(self, x):
            return F.sigmoid(
                self.fc(x.mean([2, 3], keepdim=True)) + self.fc(x.max([2, 3], keepdim=True))
            )

    class Spatial(nn.Layer):
        def __init__(self, k):
            super().__init__()
            self.pad = nn.Pad2D(k // 2)
            self.conv = nn.Conv2D(2, 1, k)

        def forward(self, x):
            maps = paddle.concat([x.mean(1, keepdim=True), x.max(1, keepdim=True)], 1)
            return F.sigmoid(self.conv(self.pad(maps)))

    def __init__(self, in_channels, reduction_ratio=16, kernel_size=7):
        super().__init__()
        self.ca = self.Channel(in_channels, reduction_ratio)
        self.sa = self.Spatial(kernel_size)

    def forward(self, x):
        out = self.ca(x) * x
        return self.sa(out) * out


# ---------------------------------------------------------------- 特征图上的自注意力


class self_attention_2d_blind_conv(nn.Layer):
    def __init__(self, in_channels):
        super().__init__()
        self.query_conv = nn.Conv2D(in_channels, in_channels, 1)
        self.key_conv = nn.Conv2D(in_channels, in_channels, 1)
        self.value_conv = nn.Conv2D(in_channels, in_channels, 1)
        self.gamma = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x):
        b, c, h, w = x.shape
        q = self.query_conv(x).reshape([b, c, h * w]).transpose([0, 2, 1])
        k = self.key_conv(x).reshape([b, c, h * w])
        v = self.value_conv(x).reshape([b, c, h * w])
        attention = F.softmax(paddle.bmm(q, k) / math.sqrt(c), axis=-1)
        out = paddle.bmm(v, attention.transpose([0, 2, 1])).reshape([b, c, h, w])
        return self.gamma * out + x


class self_attention_2d_blind_merged_linear(nn.Layer):
    """合并的 Linear；γ 是 [1, 1, 1, 1]。"""

    def __init__(self, in_channels):
        super().__init__()
        self.g = paddle.create_parameter(
            [1, 1, 1, 1], "float32", default_initializer=nn.initializer.Constant(0.0)
        )
        self.qkv = nn.Linear(in_channels, in_channels * 3)

    def forward(self, x):
        b, c, h, w = x.shape
        t = paddle.einsum("bchw->bhwc", x).flatten(1, 2)
        q, k, v = self.qkv(t).chunk(3, axis=-1)
        s = paddle.einsum("bnc,bmc->bnm", q * c**-0.5, k)
        y = paddle.einsum("bnm,bmc->bcn", F.softmax(s), v)
        return x + y.reshape([b, c, h, w]) * self.g


# ---------------------------------------------------------------- 多头


class self_attention_blind_merged(nn.Layer):
    """PaddleClas / PPViT 的写法：合并的 qkv。"""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.scale = self.head_dim**-0.5
        self.qkv = nn.Linear(dim, dim * 3)
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape((-1, N, 3, self.num_heads, self.head_dim))
        qkv = qkv.transpose((2, 0, 3, 1, 4))
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = q.matmul(k.transpose((0, 1, 3, 2))) * self.scale
        attn = self.attn_drop(F.softmax(attn, axis=-1))
        x = attn.matmul(v).transpose((0, 2, 1, 3)).reshape((-1, N, C))
        return self.proj(x)


class self_attention_blind_official(nn.Layer):
    """直接包 nn.MultiHeadAttention。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.attn = nn.MultiHeadAttention(embed_dim, num_heads)

    def forward(self, x, seen=None):
        return self.attn(x)


class self_attention_blind_loop(nn.Layer):
    """先整个投影，再一个头一个头地切列。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.a, self.k = num_heads, embed_dim // num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        Q, K, V = self.query(x), self.key(x), self.value(x)
        outs = []
        for i in range(self.a):
            cut = slice(i * self.k, (i + 1) * self.k)
            s = paddle.matmul(Q[:, :, cut], K[:, :, cut], transpose_y=True) / self.k**0.5
            outs.append(F.softmax(s, -1) @ V[:, :, cut])
        return self.output(paddle.concat(outs, -1))


# ---------------------------------------------------------------- 掩码


class masked_attention_blind_where(nn.Layer):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def split(self, x):
        b, n, d = x.shape
        return x.reshape([b, n, self.num_heads, d // self.num_heads]).transpose([0, 2, 1, 3])

    def forward(self, x, seen=None):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = paddle.einsum("bank,bamk->banm", q, k) / q.shape[-1] ** 0.5
        if seen is not None:
            scores = paddle.where(seen, scores, paddle.full_like(scores, -1e9))
        mixed = paddle.einsum("banm,bamk->bnak", F.softmax(scores, -1), v)
        return self.proj(mixed.flatten(2))


class masked_attention_blind_sdpa_bias(nn.Layer):
    """布尔变成加性的偏置，交给 scaled_dot_product_attention（Paddle 的排列是 B N H K）。"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.heads = num_heads
        self.in_proj = nn.Linear(embed_dim, 3 * embed_dim)
        self.out_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, seen=None):
        b, n, d = x.shape
        q, k, v = self.in_proj(x).reshape([b, n, 3, self.heads, d // self.heads]).unbind(2)
        bias = None
        if seen is not None:
            bias = ((1.0 - seen.astype(x.dtype)) * -1e9).reshape([1, 1, n, n])
            bias = bias.expand([b, self.heads, n, n])
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out_proj(y.reshape([b, n, d]))


# ---------------------------------------------------------------- ViT 的入口


class vit_tokens_blind_conv(nn.Layer):
    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.num_patches = (image_size // patch_size) * (image_size // patch_size)
        self.proj = nn.Conv2D(in_channels, embed_dim, patch_size, patch_size)
        zeros = nn.initializer.Constant(0.0)
        trunc = nn.initializer.TruncatedNormal(std=0.02)
        self.pos_embed = self.create_parameter(
            [1, self.num_patches + 1, embed_dim], default_initializer=trunc
        )
        self.cls_token = self.create_parameter([1, 1, embed_dim], default_initializer=zeros)

    def forward(self, x):
        x = self.proj(x).flatten(2).transpose((0, 2, 1))
        cls_tokens = self.cls_token.expand((x.shape[0], -1, -1))
        x = paddle.concat((cls_tokens, x), axis=1)
        return x + self.pos_embed


class vit_tokens_blind_unfold(nn.Layer):
    """F.unfold 加 Linear，位置用 Embedding 与 buffer。"""

    def __init__(self, image_size, patch_size, in_channels, embed_dim):
        super().__init__()
        self.p = patch_size
        n = (image_size // patch_size) ** 2
        self.cls = self.create_parameter([embed_dim])
        self.pos = nn.Embedding(n + 1, embed_dim)
        self.lin = nn.Linear(in_channels * patch_size * patch_size, embed_dim)
        self.register_buffer("ids", paddle.arange(n + 1), persistable=False)

    def forward(self, x):
        patches = F.unfold(x, self.p, strides=self.p).transpose([0, 2, 1])
        cls = paddle.tile(self.cls.reshape([1, 1, -1]), [x.shape[0], 1, 1])
        return paddle.concat([cls, self.lin(patches)], 1) + self.pos(self.ids)


# ---------------------------------------------------------------- ViT 的块


class vit_block_blind_handmade(nn.Layer):
    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.h = num_heads
        self.norm2 = nn.LayerNorm(embed_dim)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, embed_dim * mlp_ratio),
            nn.GELU(),
            nn.Linear(embed_dim * mlp_ratio, embed_dim),
        )
        self.q = nn.Linear(embed_dim, embed_dim)
        self.k = nn.Linear(embed_dim, embed_dim)
        self.v = nn.Linear(embed_dim, embed_dim)
        self.o = nn.Linear(embed_dim, embed_dim)

    def msa(self, z):
        b, n, d = z.shape
        q, k, v = (f(z).reshape([b, n, self.h, d // self.h]) for f in (self.q, self.k, self.v))
        w = F.softmax(paddle.einsum("bnhk,bmhk->bhnm", q, k) / (d // self.h) ** 0.5, axis=-1)
        return self.o(paddle.einsum("bhnm,bmhk->bnhk", w, v).reshape([b, n, d]))

    def forward(self, z):
        z = z + self.msa(self.norm1(z))
        return z + self.mlp(self.norm2(z))


class vit_block_blind_encoder_layer(nn.Layer):
    """官方的 TransformerEncoderLayer，normalize_before。"""

    def __init__(self, embed_dim, num_heads, mlp_ratio=4):
        super().__init__()
        self.block = nn.TransformerEncoderLayer(
            embed_dim,
            num_heads,
            int(embed_dim * mlp_ratio),
            dropout=0.0,
            activation="gelu",
            normalize_before=True,
        )

    def forward(self, x):
        return self.block(x)


# ---------------------------------------------------------------- 训练的一步


def training_step_blind_textbook(model, optimizer, images, labels):
    logits = model(images)
    loss = nn.CrossEntropyLoss()(logits, labels)
    optimizer.clear_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def training_step_blind_minimize(model, opt, x_data, y_data):
    """老派：softmax_with_cross_entropy、minimize、clear_gradients。"""
    predicts = model(x_data)
    loss = F.softmax_with_cross_entropy(predicts, y_data.reshape([-1, 1]))
    avg_loss = paddle.mean(loss)
    model.clear_gradients()
    avg_loss.backward()
    opt.minimize(avg_loss)
    return float(avg_loss.numpy())


# ---------------------------------------------------------------- 评估


def evaluation_blind_numpy(model, images, labels):
    """评估模式，取成 NumPy 再比。"""
    model.eval()
    with paddle.no_grad():
        logits = model(images).numpy()
    return float((logits.argmax(axis=1) == labels.numpy().reshape(-1)).mean())


@paddle.no_grad()
def evaluation_blind_metric(model, images, labels):
    """paddle.metric.Accuracy，分批。"""
    model.eval()
    metric = paddle.metric.Accuracy()
    for i in range(0, images.shape[0], 8):
        out = F.softmax(model(images[i : i + 8]), axis=-1)
        metric.update(metric.compute(out, labels[i : i + 8].reshape([-1, 1])))
    model.train()
    return float(metric.accumulate())


# ---------------------------------------------------------------- 归一化


def normalisation_blind_closure(train, test):
    m, s = float(np.mean(train)), float(np.std(train))

    def norm(a):
        return (a.astype("float32") - m) / s

    return norm(train), norm(test)


def normalisation_blind_inplace_copy(train, test):
    """复制之后就地减、就地除。"""
    mean, std = train.mean(), train.std()
    out = []
    for part in (train, test):
        part = np.array(part, dtype=np.float64)
        part -= mean
        part /= std
        out.append(part)
    return tuple(out)
