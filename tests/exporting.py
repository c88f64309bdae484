"""导出的几种办法，写成书里「导出与部署」引用的样子；test_export.py 逐一执行。"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import paddle
import torch
from paddle.static import InputSpec
from torch.export import Dim


def traced(model: torch.nn.Module, x: torch.Tensor, path: Path) -> Callable:
    """照着一批输入走一遍，记下走过的运算；存成一个文件，再载回来。"""
    torch.jit.save(torch.jit.trace(model, x), path)
    return torch.jit.load(path)


def exported(
    model: torch.nn.Module, x: torch.Tensor, free: tuple[int, ...], path: Path
) -> Callable:
    """画成一张图；free 里的几维是变量，其余是常数。"""
    sizes = {axis: Dim.DYNAMIC for axis in free}
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=(sizes,)), path)
    return torch.export.load(path).module()


class Whole(torch.fx.Tracer):
    """fx 读网络的代码，读到本书的模块就停下，整个当成一步。"""

    def is_leaf_module(self, layer: torch.nn.Module, name: str) -> bool:
        ours = type(layer).__module__.startswith("vision_attention.")
        return ours or super().is_leaf_module(layer, name)


def symbolic(model: torch.nn.Module) -> torch.fx.GraphModule:
    """torch.fx 的图：网络是自己写的，里面装着本书的模块。"""
    return torch.fx.GraphModule(model, Whole().trace(model))


def onnx(
    model: torch.nn.Module, x: torch.Tensor, free: tuple[int, ...], path: Path
) -> onnxruntime.InferenceSession:
    """先画成 torch.export 的图，再换成 ONNX。"""
    sizes = {axis: Dim.DYNAMIC for axis in free}
    torch.onnx.export(
        model,
        (x,),
        path,
        dynamo=True,
        input_names=["input"],
        dynamic_shapes=(sizes,),
        verbose=False,
    )
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def onnx_traced(
    model: torch.nn.Module, x: torch.Tensor, free: tuple[int, ...], path: Path
) -> onnxruntime.InferenceSession:
    """先追踪，再换成 ONNX：旧的导出器，许多部署工具只认它写的算子。"""
    sizes = {"input": {axis: f"size{axis}" for axis in free}}
    torch.onnx.export(
        model,
        (x,),
        path,
        dynamo=False,
        input_names=["input"],
        dynamic_axes=sizes,
        opset_version=17,
    )
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run_onnx(session: onnxruntime.InferenceSession, x: np.ndarray) -> list[np.ndarray]:
    """在 ONNX Runtime 里算一遍：不需要 PyTorch，也不需要本书的程序库。"""
    return session.run(None, {"input": x})


def static(
    model: paddle.nn.Layer, x: paddle.Tensor, free: tuple[int, ...], path: Path
) -> Callable:
    """画成静态图，存成一组文件，再载回来；None 的几维是变量。"""
    sizes = [None if axis in free else size for axis, size in enumerate(x.shape)]
    spec = [InputSpec(sizes, "float32", "x")]
    graph = paddle.jit.to_static(model, input_spec=spec, full_graph=True)
    paddle.jit.save(graph, str(path))
    return paddle.jit.load(str(path))


def saved(
    model: paddle.nn.Layer, x: paddle.Tensor, free: tuple[int, ...], path: Path
) -> Callable:
    """高层接口：paddle.Model 的 save，training=False 存的就是静态图。"""
    sizes = [None if axis in free else size for axis, size in enumerate(x.shape)]
    paddle.Model(model, [InputSpec(sizes, "float32", "x")]).save(
        str(path), training=False
    )
    return paddle.jit.load(str(path))
