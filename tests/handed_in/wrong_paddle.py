"""写错了的，PaddlePaddle：一行为 (写对的一份, 原来的, 换成的, 该认出的名字)。

内容: WRONG；名字是空的，只要求不判成对。
"""

NONE = ()
WRONG = (
    ("cbam_notes", "out * self.spatial_att(out)", "out * self.spatial_att(x)", ("空间门由 F 算，不由 F′ 算",)),
    ("cbam_notes", "out * self.spatial_att(out)", "x * self.spatial_att(out)", ("最后乘的是 F，不是 F′",)),
    ("cbam_notes", "return out", "return out + x", ("模块里再加一条捷径",)),
    ("cbam_linear", "self.mlp(x.mean([2, 3])) + self.mlp(x.flatten(2).max(2))", "self.mlp(x.mean([2, 3]) + x.flatten(2).max(2))", ("先把两个描述相加，再过 MLP",)),
    ("cbam_linear", "x * F.sigmoid(score)", "x * F.sigmoid(F.sigmoid(score))", ("通道门过了两次 σ",)),
    ("cbam_linear", "x * F.sigmoid(score)", "x * F.softmax(score, -1)", ("通道门用了 softmax",)),
    ("cbam_linear", "nn.ReLU(), ", "", ("两层之间没有 ReLU",)),
    ("cbam_linear", "F.sigmoid(self.conv(maps))", "F.relu(self.conv(maps))", NONE),
    ("cbam_linear", "[x.mean(1), x.max(1)]", "[x.max(1), x.mean(1)]", ("拼接 [最大；平均]",)),
    ("cbam_no_bias", "padding=3, ", "", NONE),
    ("self_attention_2d_bmm", " / math.sqrt(c)", "", ("没有除以 √K",)),
    ("self_attention_2d_bmm", " / math.sqrt(c), -1", " / math.sqrt(c), 1", ("沿查询归一化",)),
    ("self_attention_2d_bmm", "x + self.gamma * out", "x + out", ("没有 γ",)),
    ("self_attention_2d_bmm", "x + self.gamma * out", "self.gamma * out", ("没有加回输入",)),
    ("self_attention_fused", "axis=-1", "axis=1", ("沿头归一化",)),
    ("self_attention_fused", "(dim // num_heads) ** -0.5", "dim ** -0.5", ("除以了 √D，不是 √K",)),
    ("self_attention_fused", ".transpose([0, 2, 1, 3]).reshape", ".reshape", ("合头之前没有换回轴",)),
    ("self_attention_separate", "self.split(self.W_k(x)), self.split(self.W_v(x))", "self.split(self.W_v(x)), self.split(self.W_k(x))", ("K 与 V 对调了",)),
    ("masked_attention_where", "paddle.where(mask, s, paddle.full_like(s, -1e9))", "paddle.where(mask, paddle.full_like(s, -1e9), s)", ("掩码反了",)),
    ("vit_block_plain", "x = x + self.attn", "x = self.attn", ("注意力那一路没有残差",)),
    ("vit_block_plain", "nn.GELU()", "nn.ReLU()", ("MLP 用了 ReLU",)),
    ("vit_block_plain", "self.norm2(x)", "self.norm1(x)", NONE),
    ("vit_tokens_conv", ".flatten(2).transpose([0, 2, 1])", ".reshape([x.shape[0], -1, self.cls_token.shape[2]])", ("用 view 代替转置",)),
    ("training_step_plain", "    optimizer.clear_grad()\n", "", ("梯度没有清零",)),
    ("training_step_plain", "model(images), labels", "F.softmax(model(images)), labels", ("损失收到的是 softmax 之后的",)),
    ("evaluation_plain", "model.eval()", "model.train()", ("评估时是训练模式",)),
    ("normalisation_plain", "train.mean(), train.std()", "test.mean(), test.std()", ("用了测试集的统计",)),
    ("cbam_linear", "return F.sigmoid(self.conv(maps)) * x", "return F.sigmoid(self.conv(maps)) * x, maps", NONE),
    ("cbam_linear", "maps = paddle", "paddle.seed(0)\n        maps = paddle", NONE),
)  # fmt: skip
