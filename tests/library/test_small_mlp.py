"""多层感知机：与 ViT 一样大，不知道哪两个像素相邻。"""

import numpy as np
from frameworks import FRAMEWORKS
from gaps import close

from vision_attention import interop, specs


def tensor(wing, values):
    return FRAMEWORKS[wing.__name__.rpartition(".")[2]].tensor(values)


def test_small_mlp_is_as_large_as_the_vit(wing):
    """64·333 + 333 + 333·333 + 333 + 333·10 + 10；与 ViT 差不到千分之一。"""
    mlp, vit = (
        wing.inspect.count_parameters(wing.build(specs.named(name)))
        for name in ("mlp_small", "vit_tiny")
    )
    assert mlp == 136_207
    assert abs(mlp - vit) < vit / 1000


def test_pixels_may_change_places_with_their_weights(wing):
    model = wing.build(specs.named("mlp_small", width=19, depth=3))
    x = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype("f4")
    order = np.random.default_rng(1).permutation(64)
    before = model(tensor(wing, x)).detach().numpy()
    state = interop.state(model)
    first = "layers.0.weight"
    interop.load_state(model, state | {first: state[first][:, order]})
    mixed = x.reshape(5, 64)[:, order].reshape(x.shape)
    after = model(tensor(wing, mixed)).detach().numpy()
    close(after, before)


def test_every_layer_starts_from_the_written_spread(wing):
    """隐藏层 √(2 / fan_in)，分类头 0.02，偏置 0。"""
    state = interop.state(wing.build(specs.named("mlp_small")))
    spreads = {n: v.std() for n, v in state.items() if n.endswith("weight")}
    expected = {
        "layers.0.weight": np.sqrt(2 / 64),
        "layers.2.weight": np.sqrt(2 / 333),
        "head.weight": 0.02,
    }
    assert spreads.keys() == expected.keys()
    for name, spread in spreads.items():
        np.testing.assert_allclose(spread, expected[name], rtol=0.05)
    assert not any(v.any() for n, v in state.items() if n.endswith("bias"))
