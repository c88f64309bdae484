"""看进模型里面：数得对、看得准、什么也不改。"""

from __future__ import annotations

import importlib
import math

import differences
import numpy as np
import pytest
from frameworks import FRAMEWORKS
from gaps import close

import vision_attention.paddle
import vision_attention.torch
from vision_attention import attention_maps, geometry, initial, interop, specs
from vision_attention.checks import inspection
from vision_attention.measure import memory

CBAM = {"attention": "cbam", "attention_options": {"min_hidden": 2}}


def images(wing, size=8, channels=1):
    x = np.random.default_rng(0).standard_normal((3, channels, size, size))
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]].tensor(x.astype("f4"))


def test_parameters_of_the_named_models(wing):
    count = wing.inspect.count_parameters
    assert count(wing.CBAM(64)) == 679
    assert count(wing.build(specs.named("vit_tiny"))) == 136138
    assert count(wing.build(specs.named("small_cnn"))) == 28842


def test_macs_of_a_small_cnn_by_hand(wing):
    # 8×8×32×9 + 4×4×32×32×9 + 2×2×64×32×9 + 64×10
    expected = 64 * 288 + 16 * 9216 + 4 * 18432 + 640
    model = wing.build(specs.named("small_cnn"))
    assert wing.inspect.count_macs(model, (1, 8, 8)) == expected


def test_macs_of_attention_grow_with_the_square_of_the_tokens(wing):
    spec = specs.named("vit_tiny", depth=1, pool="mean", num_classes=1)
    width, tokens = 64, 16
    projections = tokens * (3 + 1 + 2 + 2) * width**2
    expected = tokens * 4 * width + projections + 2 * tokens**2 * width + width
    assert wing.inspect.count_macs(wing.build(spec), (1, 8, 8)) == expected


def test_macs_of_the_last_block_are_those_of_the_class_token(wing):
    spec = specs.named("vit_tiny", depth=2, num_classes=1)
    width, tokens, patches = 64, 17, 16
    whole = tokens * (3 + 1 + 2 + 2) * width**2 + 2 * tokens**2 * width
    last = tokens * 2 * width**2 + (1 + 1 + 2 + 2) * width**2 + 2 * tokens * width
    expected = patches * 4 * width + whole + last + width
    assert wing.inspect.count_macs(wing.build(spec), (1, 8, 8)) == expected


def test_shared_mlp_is_counted_for_each_descriptor(wing):
    # 两个描述各过一次 64→4→64，空间门 32×32 个位置各 98 次
    macs = wing.inspect.count_macs(wing.CBAM(64), (64, 32, 32))
    assert macs == 2 * (64 * 4 + 4 * 64) + 32 * 32 * 98


def test_macs_of_layers_called_by_keyword(wing):
    """两层全连接，写着参数的名字叫：2 × 3 与 3 × 2，各算 4 个位置。"""

    class Called(wing.MLP):
        def forward(self, x):
            return self.fc2(input=self.fc1(input=x))

    assert wing.inspect.count_macs(Called(2, 3), (1, 4, 2)) == 4 * (6 + 6)


def test_macs_of_a_sequence_pool_by_hand(wing):
    """四个 token、宽 3：打分 4 × 3，加权求和又是 4 × 3。"""
    assert wing.inspect.count_macs(wing.SequencePool(3), (4, 3)) == 12 + 12


def test_resnet20_macs_match_the_published_40_million(wing):
    macs = wing.inspect.count_macs(wing.build(specs.named("resnet20")), (3, 32, 32))
    shortcuts = 16 * 32 * 256 + 32 * 64 * 64
    assert macs - shortcuts == 40_551_040


def test_gates_are_the_ones_the_forward_used(wing):
    model = wing.build(specs.named("resnet_narrow", **CBAM, stages=(2, 3)))
    gates = wing.inspect.gates(model, images(wing))
    assert list(gates) == ["stages.1.0.branch_attention", "stages.2.0.branch_attention"]
    model.eval()
    block = model.stages[1][0]
    before = block.branch(model.stages[0](model.stem(images(wing)).clip(min=0)))
    expected = block.branch_attention.gate(before).detach().numpy()
    close(gates["stages.1.0.branch_attention"], expected)


def test_a_part_that_is_called_gate_is_no_gate_itself(wing):
    """读者的一块里，有一个零件就叫 gate：看的是那个零件，不是那一块。"""
    model = wing.build(specs.named("resnet_narrow"))
    block = model.stages[2][0]
    block.gate = wing.SqueezeExcitation(32, 8)
    block.branch_attention = block.gate
    (found,) = wing.inspect.gates(model, images(wing)).values()
    assert found.shape == (3, 32, 1, 1)


def test_attention_of_every_layer(wing):
    model = wing.build(specs.named("vit_tiny"))
    weights = wing.inspect.attention(model, images(wing))
    assert [w.shape for w in weights.values()] == [(3, 4, 17, 17)] * 4
    for layer in weights.values():
        np.testing.assert_allclose(layer.sum(-1), 1, atol=1e-5)


def test_looking_changes_nothing(wing):
    model = wing.build(specs.named("resnet_narrow", **{"attention": "coordinate"}))
    model.train()
    before = interop.state(model)
    wing.inspect.gates(model, images(wing))
    wing.inspect.count_macs(model, (1, 8, 8))
    after = interop.state(model)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    assert model.training and model.stages[0][0].training


def test_models_without_what_is_asked_for(wing):
    plain = wing.build(specs.named("small_cnn"))
    with pytest.raises(ValueError, match="SmallCNN 里没有门"):
        wing.inspect.gates(plain, images(wing))
    with pytest.raises(ValueError, match="SmallCNN 里没有自注意力"):
        wing.inspect.attention(plain, images(wing))


def test_receptive_field_of_a_spatial_gate_is_its_kernel(wing):
    x = images(wing, 15, 4)
    gate = wing.SpatialAttention(7)
    field = wing.inspect.effective_receptive_field(gate.gate, x)
    rows, columns = np.nonzero(field)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 10, 4, 10)


def test_receptive_field_of_self_attention_is_everything(wing):
    module = wing.SelfAttention2d(4, gamma=1.0)
    field = wing.inspect.effective_receptive_field(module, images(wing, 9, 4))
    assert (field > 0).all() and field.max() == 1
    corner = wing.inspect.effective_receptive_field(module, images(wing, 9, 4), (0, 0))
    assert corner[0, 0] == corner.max()


def test_receptive_field_inside_no_grad(wing):
    module, x = wing.SpatialAttention(7), images(wing, 15, 4)
    expected = wing.inspect.effective_receptive_field(module.gate, x)
    with importlib.import_module(wing.__name__.rpartition(".")[2]).no_grad():
        found = wing.inspect.effective_receptive_field(module.gate, x)
    np.testing.assert_array_equal(found, expected)


def test_receptive_field_refuses_logits(wing):
    model = wing.build(specs.named("small_cnn"))
    with pytest.raises(ValueError, match=r"function 的输出是 \(3, 10\)"):
        wing.inspect.effective_receptive_field(model, images(wing))


def test_grad_cam_of_a_linear_network_by_hand(wing):
    model = wing.build(specs.named("small_cnn"))
    model.eval()
    x = images(wing)
    cam = wing.inspect.grad_cam(model, model.stages[2], x, [1, 2, 3])
    features = model.features(x).detach().numpy()
    weights = interop.state(model)["head.weight"]
    # 平均池化加全连接：斜率就是分类头的那一行，除以像素数
    slopes = np.stack([weights[label] for label in (1, 2, 3)]) / 4
    expected = np.maximum(np.einsum("bc,bchw->bhw", slopes, features), 0)
    close(cam, expected)


def frozen(wing, model):
    for parameter in model.parameters():
        parameter.stop_gradient = True  # Paddle 看这一个
        parameter.requires_grad = False
    return model


@pytest.mark.parametrize("name", ["small_cnn", "resnet_narrow", "vit_tiny"])
def test_grad_cam_of_a_frozen_network(wing, name):
    """参数全冻结，Grad-CAM 照旧；外面写着 no_grad 也照旧。"""
    model = wing.build(specs.named(name))
    differences.disturb(model)
    layer = model.blocks[1] if name == "vit_tiny" else model.stages[1]
    expected = wing.inspect.grad_cam(model, layer, images(wing), [0, 1, 2])
    assert expected.max() > 0
    with importlib.import_module(wing.__name__.rpartition(".")[2]).no_grad():
        found = [
            wing.inspect.grad_cam(net, layer, images(wing), [0, 1, 2])
            for net in (model, frozen(wing, model))
        ]
    for cam in found:
        np.testing.assert_allclose(cam, expected, atol=1e-5 * expected.max())


def test_grad_cam_of_a_mean_pooled_vit_by_hand(wing):
    """取平均、层归一化之后接线性头：看归一化的输出，斜率就是头的那一行。"""
    model = wing.build(specs.named("vit_tiny", pool="mean"))
    differences.disturb(model)
    model.eval()
    x = images(wing)
    cam = wing.inspect.grad_cam(model, model.norm, x, [1, 2, 3])
    tokens = model.norm(model.blocks(model.embed(x))).detach().numpy()
    weights = interop.state(model)["head.weight"][[1, 2, 3]] / 16
    expected = np.maximum(np.einsum("bd,bnd->bn", weights, tokens), 0)
    np.testing.assert_allclose(cam, expected.reshape(3, 4, 4), atol=1e-6)


def test_grad_cam_leaves_the_class_token_out(wing):
    """第 k 块变亮，热图的第 k 格变；行是行，列是列。"""
    model = wing.build(specs.named("vit_tiny"))
    differences.disturb(model)
    model.eval()
    tokens = []
    cam = wing.inspect.grad_cam(model, model.blocks[0], images(wing), [1, 2, 3])
    assert cam.shape == (3, 4, 4)
    slopes = np.random.default_rng(0).standard_normal((2, 17, 5))
    features = np.random.default_rng(1).standard_normal((2, 17, 5))
    weights = slopes[:, 1:].mean(1)
    for b in range(2):
        for row in range(4):
            for column in range(4):
                score = weights[b] @ features[b, 1 + 4 * row + column]
                tokens.append(max(score, 0))
    found = inspection.cam(features, slopes)
    np.testing.assert_allclose(found.reshape(-1), tokens, atol=1e-12)


def test_grad_cam_of_a_vit_is_the_same_in_both_wings():
    """Paddle 的层归一化曾把斜率算错：权重不是 1 时，两翼的图不同。"""
    found = []
    for name in ("torch", "paddle"):
        wing = importlib.import_module(f"vision_attention.{name}")
        initial.seed(0)
        model = wing.build(specs.named("vit_tiny"))
        differences.disturb(model)
        found.append(
            wing.inspect.grad_cam(model, model.blocks[1], images(wing), [0, 1, 2])
        )
    np.testing.assert_allclose(found[0], found[1], atol=1e-5 * found[0].max())


def test_grad_cam_says_where_to_look_instead_of_an_empty_map(wing):
    model = wing.build(specs.named("vit_tiny"))
    with pytest.raises(ValueError, match=r"只用到它的分类 token.*blocks\[-1\]\.norm1"):
        wing.inspect.grad_cam(model, model.blocks[-1], images(wing), [0, 1, 2])
    differences.disturb(model)
    layer = model.blocks[-1].norm1
    assert wing.inspect.grad_cam(model, layer, images(wing), [0, 1, 2]).max() > 0


def test_grad_cam_says_that_no_gradient_comes_through(wing):
    model = wing.build(specs.named("small_cnn"))
    probe = wing.LinearProbe(model)
    with pytest.raises(ValueError, match=r"打分对 layer 的输出 没有梯度：.*no_grad"):
        wing.inspect.grad_cam(probe, model.stages[1], images(wing), [0, 1, 2])
    with pytest.raises(ValueError, match="function 的输出对 x 没有梯度"):
        wing.inspect.effective_receptive_field(
            lambda x: model.features(x.detach()), images(wing)
        )


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((3, 10), r"layer 的输出是 \(3, 10\)"),
        ((3, 15, 8), "有 15 个 token，排不成方阵"),
    ],
)
def test_grad_cam_wants_a_map_or_a_square_of_tokens(shape, told):
    with pytest.raises(ValueError, match=told):
        inspection.mapped(np.zeros(shape))
    with pytest.raises(ValueError, match="layer 的输出是 tuple"):
        inspection.mapped((np.zeros(shape),))


def test_grad_cam_refuses_a_layer_of_another_model(wing):
    model, other = (wing.build(specs.named("small_cnn")) for _ in range(2))
    with pytest.raises(ValueError, match="layer 不在 model 里"):
        wing.inspect.grad_cam(model, other.stages[2], images(wing), [0, 0, 0])


def disturbed(wing):
    """训练模式、批归一化的统计量不是起点的一个 ResNet。"""
    model = wing.build(specs.named("resnet_narrow"))
    model.train()
    model(images(wing))
    return model


def test_grad_cam_looks_in_evaluation_mode_and_leaves_the_model_alone(wing):
    model = disturbed(wing)
    model.stages[0].eval()
    before = interop.state(model)
    ours = model.training, model.stages[0].training, model.stages[1].training
    found = wing.inspect.grad_cam(model, model.stages[2], images(wing), [0, 1, 2])
    after = interop.state(model)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    assert ours == (True, False, True)
    assert ours == (model.training, *(model.stages[i].training for i in (0, 1)))
    model.eval()
    expected = wing.inspect.grad_cam(model, model.stages[2], images(wing), [0, 1, 2])
    np.testing.assert_array_equal(found, expected)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    "target", [[1], [1] * 4, 3, None, [0, 1, 10], [0, -1, 2], [0.0, 1.0, 2.0]]
)
def test_grad_cam_wants_one_class_for_every_image(wing, target):
    model = wing.build(specs.named("small_cnn"))
    with pytest.raises(ValueError, match=r"target=.*应为 3 个整数.*0 到 9"):
        wing.inspect.grad_cam(model, model.stages[2], images(wing), target)


def test_grad_cam_takes_the_labels_of_a_dataset(wing):
    model = wing.build(specs.named("small_cnn"))
    x, layer = images(wing), model.stages[2]
    np.testing.assert_array_equal(
        wing.inspect.grad_cam(model, layer, x, np.array([1, 2, 3])),
        wing.inspect.grad_cam(model, layer, x, [1, 2, 3]),
    )


@pytest.mark.parametrize(
    "position", [0, 1, (0,), (1, 2, 3), (9, 0), (0, -1), (0.0, 1.0), "ab"]
)
def test_receptive_field_of_a_map_wants_row_and_column(wing, position):
    module = wing.SelfAttention2d(4, gamma=1.0)
    with pytest.raises(ValueError, match=r"position=.*9×9 的特征图.*例如 \(4, 4\)"):
        wing.inspect.effective_receptive_field(module, images(wing, 9, 4), position)


@pytest.mark.parametrize("position", [(1, 2), 17, -1, 1.0, True])
def test_receptive_field_of_tokens_wants_a_number(wing, position):
    model = wing.build(specs.named("vit_tiny", depth=1))
    with pytest.raises(ValueError, match=r"position=.*17 个 token.*例如 8"):
        wing.inspect.effective_receptive_field(model.embed, images(wing), position)


def test_receptive_field_of_the_first_token_is_not_the_middle(wing):
    model = wing.build(specs.named("vit_tiny", pool="mean"))
    field = wing.inspect.effective_receptive_field(model.embed, images(wing), 0)
    assert np.argwhere(field).max() == 1
    middle = wing.inspect.effective_receptive_field(model.embed, images(wing))
    np.testing.assert_array_equal(
        middle,
        wing.inspect.effective_receptive_field(model.embed, images(wing), np.int64(8)),
    )


def in_precision(wing, model, name):
    """同一个模型，换一种精度。"""
    if wing.__name__.endswith("torch"):
        return model.to(getattr(FRAMEWORKS["torch"].tensor(0.0), name)().dtype)
    return model.to(dtype={"double": "float64", "bfloat16": "bfloat16"}[name])


@pytest.mark.parametrize("name", ["small_cnn", "vit_tiny"])
def test_macs_of_a_double_model(wing, name):
    model = wing.build(specs.named(name))
    expected = wing.inspect.count_macs(model, (1, 8, 8))
    doubled = in_precision(wing, model, "double")
    assert wing.inspect.count_macs(doubled, (1, 8, 8)) == expected


def test_macs_of_a_bfloat16_model():
    # Paddle 在 CPU 上没有 bfloat16 的卷积
    from vision_attention import torch as wing

    model = wing.build(specs.named("small_cnn"))
    expected = wing.inspect.count_macs(model, (1, 8, 8))
    coarse = in_precision(wing, model, "bfloat16")
    assert wing.inspect.count_macs(coarse, (1, 8, 8)) == expected


def test_macs_of_a_model_without_parameters(wing):
    assert wing.inspect.count_macs(wing.SimAM(3), (3, 8, 8)) == 0


def own_paddle_model(norm):
    """读者自己的模型，层归一化用 norm；权重不是 1，也不学。"""
    import paddle

    initial.seed(0)
    layer = norm([4, 8, 8])
    values = np.random.default_rng(1).uniform(0.5, 2, layer.weight.shape)
    layer.weight.set_value(values.astype("f4"))
    layer.weight.stop_gradient = True
    first, last = (paddle.nn.Conv2D(c, 4, 3, padding=1) for c in (1, 4))
    model = paddle.nn.Sequential(first, layer, last)
    for number, part in enumerate((first, last)):
        vision_attention.paddle.init.seed(number)
        vision_attention.paddle.init.convolutions(part)
    model.eval()
    return model


def test_the_frameworks_own_layer_norm_does_not_spoil_what_is_seen():
    """框架的层归一化只对输入求梯度时不对；模型与它的方法，工具替它绕开。"""
    import paddle

    wing = vision_attention.paddle
    look, x = wing.inspect.effective_receptive_field, images(wing)
    theirs = own_paddle_model(paddle.nn.LayerNorm)
    right = look(own_paddle_model(wing.init.LayerNorm), x)
    close(look(theirs, x), right)
    close(look(theirs.forward, x), right)
    assert theirs[1].weight.stop_gradient
    # 别的函数，够不着它里面的参数：书里「框架对照」写着
    assert abs(look(lambda x: theirs(x) * 1, x) - right).max() > 0.01


def test_bfloat16_is_read_as_numbers(wing):
    # Paddle 把 bfloat16 的位原样当成整数给 NumPy
    x = images(wing) * 0 + 0.75
    x = x.bfloat16() if hasattr(x, "bfloat16") else x.astype("bfloat16")
    found = wing.device.array(x)
    assert found.dtype == np.float32
    assert (found == 0.75).all()


def test_bfloat16_gates_are_read_as_numbers():
    # Paddle 在 CPU 上没有 bfloat16 的核，门自己会说
    wing = vision_attention.torch
    gate = in_precision(wing, wing.ConstantGate(1, value=0.75), "bfloat16")
    (found,) = wing.inspect.gates(gate, images(wing).bfloat16()).values()
    assert found.dtype == np.float32
    assert (found == 0.75).all()


def test_rollout_by_hand():
    # 两个 token，各头平均后第一层把 0 全看成 1
    layer = np.array([[[[0.0, 1.0], [0.0, 1.0]]]])
    np.testing.assert_allclose(
        attention_maps.rollout([layer, layer])[0], [[0.25, 0.75], [0, 1]]
    )


def test_rollout_multiplies_later_layers_on_the_left():
    rng = np.random.default_rng(0)
    layers = [rng.dirichlet(np.ones(5), (2, 3, 5)) for _ in range(2)]
    mixed = [0.5 * w.mean(1) + 0.5 * np.eye(5) for w in layers]
    total = attention_maps.rollout(layers)
    np.testing.assert_allclose(total, mixed[1] @ mixed[0])
    np.testing.assert_allclose(total.sum(-1), 1)


def test_classes_are_looked_for_in_a_table_of_logits():
    with pytest.raises(ValueError, match=r"模型的输出是 \(2, 10, 1\)"):
        inspection.classes([0, 1], (2, 10, 1))
    with pytest.raises(ValueError, match="应为 2 个整数"):
        inspection.classes([[0], [1, 2]], (2, 10))


@pytest.mark.parametrize(
    "shapes",
    [[], [(2, 2)], [(1, 2, 3, 4)], [(1, 2, 3, 3), (1, 2, 4, 4)]],
)
def test_rollout_refuses_nothing_and_mixtures(shapes):
    with pytest.raises(ValueError, match="应至少有一层"):
        attention_maps.rollout([np.zeros(shape) for shape in shapes])


def test_attention_distance_of_known_patterns():
    stay = np.broadcast_to(np.eye(9), (2, 3, 9, 9))
    np.testing.assert_allclose(attention_maps.mean_attention_distance(stay, 3), 0)
    uniform = np.full((2, 3, 9, 9), 1 / 9)
    expected = geometry.token_distance(3).mean()
    found = attention_maps.mean_attention_distance(uniform, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_distance_is_the_straight_line():
    """勾三股四弦五；2 × 2 的格子里，四个距离是 0、1、1、√2。"""
    assert geometry.token_distance(5)[0, 3 * 5 + 4] == 5
    uniform = np.full((1, 1, 4, 4), 1 / 4)
    found = attention_maps.mean_attention_distance(uniform, 2)
    np.testing.assert_allclose(found, (2 + math.sqrt(2)) / 4, rtol=1e-6)


def test_attention_distance_leaves_the_class_token_out():
    weights = np.zeros((1, 1, 10, 10))
    weights[..., 0] = 0.5
    weights[..., 1:, 1:] += 0.5 * np.eye(9)
    weights[..., 0, 1] = 0.5
    np.testing.assert_allclose(attention_maps.mean_attention_distance(weights, 3), 0)
    # 一半给分类 token，另一半给同一行的下一个（最后一个给前一个）：相距 1，不是 ½
    weights[..., 1:, 1:] = 0.5 * np.kron(np.eye(3), [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(attention_maps.mean_attention_distance(weights, 3), 1)
    with pytest.raises(ValueError, match="weights 有 10 个 token，grid=4 应有 16 个"):
        attention_maps.mean_attention_distance(weights, 4)


def test_entropy_bounds():
    uniform = np.full((1, 1, 7, 7), 1 / 7)
    np.testing.assert_allclose(attention_maps.entropy(uniform), np.log(7))
    assert attention_maps.entropy(np.eye(7)[None, None]).max() < 1e-12


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="只有 Linux 记着内存峰值")
def test_peak_memory_sees_a_temporary_array():
    size = memory.peak_memory(lambda: np.ones(30_000_000).sum())
    assert 0.9 * 240e6 < size < 1.3 * 240e6


def test_window_mask_by_hand():
    mask = geometry.window_mask(3, 3)
    assert mask[0].tolist() == [1, 1, 0, 1, 1, 0, 0, 0, 0]
    assert mask[4].all()
    with_class = geometry.window_mask(3, 3, class_token=True)
    assert with_class[0].all() and with_class[:, 0].all()
    np.testing.assert_array_equal(with_class[1:, 1:], mask)


@pytest.mark.parametrize("grid", [2, 3])
def test_one_dimensional_sincos_follows_the_formula(grid):
    code = geometry.sincos_1d(grid, 8)
    for n in range(grid**2):
        for k in range(4):
            angle = n / 10000 ** (k / 4)
            assert code[n, k] == pytest.approx(math.sin(angle), abs=1e-6)
            assert code[n, 4 + k] == pytest.approx(math.cos(angle), abs=1e-6)


def test_the_fixed_codes_reach_the_model(wing):
    for name in ("sincos_1d", "sincos_2d"):
        position = "sincos" if name == "sincos_2d" else name
        model = wing.build(specs.named("vit_tiny", position=position))
        code = np.asarray(model.pos_embed)[0]
        assert not code[0].any()
        np.testing.assert_array_equal(code[1:], getattr(geometry, name)(4, 64))


def test_sincos_tells_every_position_apart():
    code = geometry.sincos_2d(5, 16)
    assert code.shape == (25, 16)
    assert len(np.unique(code.round(5), axis=0)) == 25
    np.testing.assert_allclose(code[0], [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4)
