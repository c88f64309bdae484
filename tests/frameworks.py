"""测试用的一层薄皮：同一件事，torch 怎么做，paddle 怎么做。"""

from __future__ import annotations

import numpy as np
import paddle
import torch


class Torch:
    """PyTorch 的做法。"""

    name = "torch"

    @staticmethod
    def tensor(values, grad=False):
        return torch.tensor(values, requires_grad=grad)

    @staticmethod
    def numpy(value):
        return value.detach().numpy()

    @staticmethod
    def named_parameters(model):
        return {n: p for n, p in model.named_parameters() if p.requires_grad}

    @staticmethod
    def gradient(name, parameter):
        return parameter.grad.numpy()

    @staticmethod
    def optimizer(model, lr):
        return torch.optim.SGD(model.parameters(), lr, momentum=0.9)

    @staticmethod
    def clear(optimizer):
        optimizer.zero_grad()


class Paddle:
    """PaddlePaddle 的做法；梯度换成 PyTorch 的布局。"""

    name = "paddle"

    @staticmethod
    def tensor(values, grad=False):
        return paddle.to_tensor(values, stop_gradient=not grad)

    @staticmethod
    def numpy(value):
        return value.detach().numpy()

    @staticmethod
    def named_parameters(model):
        return {n: p for n, p in model.named_parameters() if not p.stop_gradient}

    @staticmethod
    def gradient(name, parameter):
        return parameter.grad.numpy()

    @staticmethod
    def optimizer(model, lr):
        return paddle.optimizer.Momentum(
            lr, momentum=0.9, parameters=model.parameters()
        )

    @staticmethod
    def clear(optimizer):
        optimizer.clear_grad()


FRAMEWORKS = {"torch": Torch, "paddle": Paddle}


def count(framework, model) -> int:
    """可学习的参数个数。"""
    shapes = [p.shape for p in framework.named_parameters(model).values()]
    return int(sum(np.prod(s) if len(s) else 1 for s in shapes))


def linear_weights(model) -> set[str]:
    """Paddle 模型里需要转置的权重名。"""
    return {
        f"{name}.weight" if name else "weight"
        for name, layer in model.named_sublayers(include_self=True)
        if isinstance(layer, paddle.nn.Linear)
    }
