"""每个类都像框架自己的模块：复制、存取、换精度、换设备、冻结、求平均，样样照旧。"""

from __future__ import annotations

import copy
import functools
import io
import pickle

import cases
import numpy as np
import paddle
import pytest
import torch
from differences import disturb
from frameworks import FRAMEWORKS

import vision_attention.paddle
import vision_attention.torch
from vision_attention import initial, interop

every_case = pytest.mark.parametrize("case", cases.ALL, ids=lambda case: case.name)
# 与开关无关的：每个类一个用例就看得出，别的开关归 make matrix
every_class = pytest.mark.parametrize(
    "case", cases.per_class(cases.ALL), ids=lambda case: case.name
)


def framework(wing):
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]]


def built(wing, case):
    """权重都不为 0 的模块，评估模式；与它的输入。"""
    module = case.make(wing)
    disturb(module)
    module.eval()
    return module, framework(wing).tensor(case.values())


def numbers(wing, values):
    return framework(wing).numpy(values)


def same(wing, other, module, x):
    """两个模块给出逐位相同的数。"""
    np.testing.assert_array_equal(numbers(wing, other(x)), numbers(wing, module(x)))


def tensors(module):
    """参数与缓冲区，连同不存盘的。"""
    return [*module.parameters(), *module.buffers()]


# ---- 两翼相同的 ----


@every_class
def test_a_copy_is_whole_and_apart(wing, case):
    module, x = built(wing, case)
    other = copy.deepcopy(module)
    same(wing, other, module, x)
    before = numbers(wing, module(x))
    for parameter in other.parameters():
        framework_add(wing, parameter, 1.0)
    np.testing.assert_array_equal(numbers(wing, module(x)), before)


def framework_add(wing, parameter, value):
    if wing is vision_attention.torch:
        with torch.no_grad():
            parameter.add_(value)
    else:
        parameter.set_value(parameter + value)


@every_class
def test_weights_go_from_one_to_another(wing, case):
    module, x = built(wing, case)
    other = case.make(wing)
    other.eval()
    if wing is vision_attention.torch:
        other.load_state_dict(module.state_dict())
    else:
        missing, unexpected = other.set_state_dict(module.state_dict())
        assert not missing and not unexpected
    same(wing, other, module, x)


@every_class
def test_a_frozen_module_hands_the_gradient_on(wing, case):
    """参数全冻结：输出不变，梯度照样传给输入。"""
    slopes = []
    for frozen in (False, True):
        initial.seed(0)
        module, _ = built(wing, case)
        if frozen:
            for parameter in module.parameters():
                parameter.stop_gradient = True  # Paddle 看这一个
                parameter.requires_grad = False
        x = framework(wing).tensor(case.values(), grad=True)
        module(x).square().sum().backward()
        slopes.append(x.grad.numpy())
    assert all(parameter.grad is None for parameter in module.parameters())
    scale = max(1, abs(slopes[0]).max())
    np.testing.assert_allclose(slopes[1], slopes[0], atol=1e-5 * scale)


@every_class
def test_every_layer_is_found(wing, case):
    """apply 走到每一层；每个参数都在某一层名下，没有两个同名。"""
    module, _ = built(wing, case)
    seen = []
    module.apply(lambda layer: seen.append(id(layer)))
    names = [name for name, _ in module.named_parameters()]
    assert len(names) == len(set(names))
    assert len(seen) == len(set(seen))


@every_case
def test_double_precision_is_double_all_the_way(wing, case):
    """换成 float64：每个张量都换，输出也是，数与 float32 差不过十万分之一。"""
    module, x = built(wing, case)
    expected = numbers(wing, module(x))
    if wing is vision_attention.torch:
        found = module.double()(x.double())
    else:
        module.to(dtype="float64")
        found = module(x.astype("float64"))
    assert {str(t.dtype).rpartition(".")[2] for t in tensors(module)} <= {
        "float64",
        "int64",  # 批归一化的计数器
    }
    found = numbers(wing, found)
    assert found.dtype == np.float64
    scale = max(1, abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)


@every_case
def test_built_in_double_precision(wing, case):
    """默认精度是 float64 时建的模型，处处是 float64，初始权重还是那一串。"""
    space = torch if wing is vision_attention.torch else paddle
    initial.seed(1)
    plain = case.make(wing)
    plain.eval()
    kind = space.get_default_dtype()
    space.set_default_dtype(torch.float64 if space is torch else "float64")
    try:
        initial.seed(1)
        module = case.make(wing)
    finally:
        space.set_default_dtype(kind)
    module.eval()
    kinds = {str(t.dtype).rpartition(".")[2] for t in tensors(module)}
    assert kinds <= {"float64", "int64"}
    x = case.values()
    expected = numbers(wing, plain(framework(wing).tensor(x)))
    found = numbers(wing, module(framework(wing).tensor(x.astype("f8"))))
    scale = max(1, abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)


# ---- PyTorch ----


@every_class
def test_pickled_whole(case):
    module, x = built(vision_attention.torch, case)
    same(vision_attention.torch, pickle.loads(pickle.dumps(module)), module, x)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    same(vision_attention.torch, torch.load(buffer, weights_only=False), module, x)


@every_class
def test_assigned_weights_are_the_very_ones(case):
    module, x = built(vision_attention.torch, case)
    other = case.make(vision_attention.torch).eval()
    given = module.state_dict()
    other.load_state_dict(given, assign=True)
    assert all(
        value.data_ptr() == given[name].data_ptr()
        for name, value in other.state_dict().items()
    )
    same(vision_attention.torch, other, module, x)


FIXED = [c for c in cases.MODELS if "window" in c.name or "sincos" in c.name]


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("case", FIXED, ids=lambda case: case.name)
def test_fixed_tensors_follow_assigned_weights(case, hollow):
    """assign=True 换了数据类型，固定的掩码与位置编码跟过去。"""
    wing = vision_attention.torch
    module, x = built(wing, case)
    module = module.double()
    with torch.device("meta" if hollow else "cpu"):
        other = case.make(wing).eval()
    other.load_state_dict(module.state_dict(), assign=True)
    assert {t.dtype for t in tensors(other) if t.is_floating_point()} == {torch.double}
    same(wing, other, module, x.double())


@every_case
def test_built_on_meta_and_filled(case):
    """在 meta 上建，再搬到 CPU 读权重：两种读法都与直接建的一样，固定的掩码也在。"""
    wing = vision_attention.torch
    module, x = built(wing, case)
    with torch.device("meta"):
        hollow = case.make(wing).eval()
    assert {t.device.type for t in tensors(hollow)} <= {"meta"}
    assert hollow(x.to("meta")).shape == module(x).shape
    assigned = copy.deepcopy(hollow)
    assigned.load_state_dict(module.state_dict(), assign=True)
    same(wing, assigned, module, x)
    # 新分来的内存里是什么都有可能：先填上坏数
    filled = hollow.to_empty(device="cpu")
    for parameter in filled.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    filled.load_state_dict(module.state_dict())
    same(wing, filled, module, x)


@pytest.mark.parametrize("case", [c for c in cases.MODELS if "window" in c.name])
def test_memory_from_meta_never_shows(case, monkeypatch):
    """to_empty 分来的内存里若全是 1，掩码也不会是 1。"""
    wing = vision_attention.torch
    module, _ = built(wing, case)
    with torch.device("meta"):
        hollow = case.make(wing)
    monkeypatch.setattr(torch, "empty_like", torch.ones_like)
    hollow.to_empty(device="cpu")
    for (name, ours), (_, theirs) in zip(
        hollow.named_buffers(), module.named_buffers(), strict=True
    ):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=name)


@every_class
def test_called_with_other_weights(case):
    """torch.func.functional_call：换一套权重算，自己的不变。"""
    wing = vision_attention.torch
    module, x = built(wing, case)
    other = case.make(wing)
    disturb(other, seed=6)
    other.eval()
    found = torch.func.functional_call(module, other.state_dict(), (x,))
    expected = numbers(wing, other(x))
    # 这套权重不是 Parameter，矩阵乘换了一种走法：差在最后一位
    scale = max(1, abs(expected).max())
    np.testing.assert_allclose(numbers(wing, found), expected, atol=1e-5 * scale)


@every_class
def test_averaged_over_two_steps(case):
    """AveragedModel：两步的平均，参数是算术平均。"""
    module, x = built(vision_attention.torch, case)
    if not list(module.parameters()):
        pytest.skip("没有参数的模块，框架自己也不会求平均")
    average = torch.optim.swa_utils.AveragedModel(module)
    average.update_parameters(module)
    for parameter in module.parameters():
        framework_add(vision_attention.torch, parameter, 1.0)
    average.update_parameters(module)
    for ours, now in zip(average.module.parameters(), module.parameters(), strict=True):
        np.testing.assert_allclose(
            ours.detach().numpy(), now.detach().numpy() - 0.5, atol=1e-6
        )
    average.eval()
    assert average(x).shape == module(x).shape


@every_class
def test_one_vector_of_all_parameters(case):
    module, x = built(vision_attention.torch, case)
    expected = module(x).detach()
    parameters = list(module.parameters())
    if not parameters:
        pytest.skip("没有参数的模块，框架自己也拼不出向量")
    vector = torch.nn.utils.parameters_to_vector(parameters)
    torch.nn.utils.vector_to_parameters(torch.zeros_like(vector), parameters)
    torch.nn.utils.vector_to_parameters(vector, parameters)
    np.testing.assert_array_equal(module(x).detach(), expected)


@every_class
def test_wrapped_for_many_devices(case):
    module, x = built(vision_attention.torch, case)
    same(vision_attention.torch, torch.nn.DataParallel(module), module, x)


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize("case", [*FIXED, *cases.ATTENTION], ids=lambda case: case.name)
def test_quantized_weights_go_from_one_to_another(case):
    """动态量化成八位，层里一个参数也不剩：照样算，照样存取。"""
    wing = vision_attention.torch
    module, x = built(wing, case)
    quantize = functools.partial(
        torch.ao.quantization.quantize_dynamic, qconfig_spec={torch.nn.Linear}
    )
    whole, other = quantize(module), quantize(case.make(wing).eval())
    scale = max(1, abs(numbers(wing, module(x))).max())
    np.testing.assert_allclose(
        numbers(wing, whole(x)), numbers(wing, module(x)), atol=0.1 * scale
    )
    other.load_state_dict(whole.state_dict())
    same(wing, other, whole, x)


LOW = (
    cases.ATTENTION
    + cases.TRANSFORMER
    + [case for case in cases.MODELS if "vit" in case.name]
)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("case", LOW, ids=lambda case: case.name)
def test_low_precision(case, kind):
    """半精度：每个张量都换，数差不过几个百分点（bfloat16 只有 8 位有效数字）。"""
    module, x = built(vision_attention.torch, case)
    expected = module(x).detach()
    dtype = getattr(torch, kind)
    module.to(dtype)
    assert {t.dtype for t in tensors(module)} <= {dtype}
    found = module(x.to(dtype))
    assert found.dtype == dtype
    scale = max(1, float(expected.abs().max()))
    np.testing.assert_allclose(found.detach().float(), expected, atol=0.05 * scale)


# ---- PaddlePaddle ----


@every_case
def test_lazily_built(case):
    """LazyGuard 里建、再逐个 initialize：初始权重还是那一串，不是框架默认的。"""
    wing = vision_attention.paddle
    initial.seed(1)
    plain = case.make(wing)
    plain.eval()
    initial.seed(1)
    with paddle.LazyGuard():
        module = case.make(wing)
    for parameter in module.parameters():
        parameter.initialize()
    module.eval()
    ours, theirs = interop.state(module), interop.state(plain)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    same(wing, module, plain, framework(wing).tensor(case.values()))


@pytest.mark.filterwarnings("ignore:The program will return to single-card")
@every_class
def test_wrapped_by_paddle_for_many_devices(case):
    module, x = built(vision_attention.paddle, case)
    if not list(module.parameters()):
        pytest.skip("没有参数的模块，框架自己也不许套")
    same(vision_attention.paddle, paddle.DataParallel(module), module, x)
