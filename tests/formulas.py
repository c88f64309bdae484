"""门的式子要用的零件，NumPy 版：照定义写，不看 src。"""

from __future__ import annotations

import numpy as np


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def conv(x, weight, bias=0.0, padding=0, dilation=1):
    """最直白的二维卷积：逐个核位置平移、相乘、累加。"""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = weight.shape[2]
    height = x.shape[2] - dilation * (k - 1)
    width = x.shape[3] - dilation * (k - 1)
    out = 0.0
    for i in range(k):
        for j in range(k):
            part = x[:, :, i * dilation :, j * dilation :][:, :, :height, :width]
            out = out + np.einsum("bchw,oc->bohw", part, weight[:, :, i, j])
    return out + np.reshape(bias, (1, -1, 1, 1))


def conv_of(x, weights, name, **options):
    return conv(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)


def batch_norm(x, weights, name):
    def shaped(field):
        return weights[f"{name}.{field}"].reshape(1, -1, 1, 1)

    scaled = (x - shaped("running_mean")) / np.sqrt(shaped("running_var") + 1e-5)
    return scaled * shaped("weight") + shaped("bias")


def relu(x):
    return np.maximum(x, 0)


def mlp(x, weights, prefix=""):
    return linear(relu(linear(x, weights, f"{prefix}fc1")), weights, f"{prefix}fc2")
