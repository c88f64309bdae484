"""几个测试共用的照片：读者自己的文件夹，一类一个。"""

import numpy as np
from PIL import Image


def photographs(root, count=6, size=(20, 24)):
    """两类带噪声的图：一类偏红，一类偏绿。"""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("daisy", "tulip")):
        (root / name).mkdir(parents=True)
        for n in range(count):
            pixels = rng.integers(0, 120, (*size, 3)).astype(np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(root / name / f"{n}.png")
    return root
