"""书里《三百张真照片》一页：那段解包的代码与那几条命令，在一份小的替身上照做一遍。"""

import io
import re
import shlex
import tarfile
from pathlib import Path

import numpy as np
from commands import call
from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "book" / "photos" / "cifar10.md"
KINDS = ("cat", "dog", "ship", "frog")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf8"), re.DOTALL)


def stand_in(path, train=7, test=2):
    """与 cifar10-jpeg.tar.xz 一样的布局，每类几张；页里不要的类也在。"""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w:xz") as tar:
        for part, count in (("train", train), ("test", test)):
            for k, kind in enumerate(KINDS):
                for n in range(count):
                    pixels = rng.integers(60 * k, 60 * k + 60, (32, 32, 3))
                    stream = io.BytesIO()
                    Image.fromarray(pixels.astype(np.uint8)).save(stream, "JPEG")
                    member = tarfile.TarInfo(f"{part}/{kind}/{n:04}.jpg")
                    member.size = stream.tell()
                    stream.seek(0)
                    tar.addfile(member, stream)


def test_the_page_can_be_walked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand_in(tmp_path / "cifar10-jpeg.tar.xz")
    [code] = blocks("python")
    # 一百张、十张换成五张、一张：取得够了就不再取
    for old, new in (("100)", "5)"), ("10)", "1)")):
        assert code.count(old) == 1
        code = code.replace(old, new)
    exec(code, {})
    found = sorted(path.parent.name for path in tmp_path.glob("photos/*/*.jpg"))
    assert found == ["cat"] * 5 + ["dog"] * 5 + ["ship"] * 5
    assert len(list(tmp_path.glob("new/*.jpg"))) == 3
    commands = [shlex.split(line)[1:] for line in blocks("bash")[0].splitlines()]
    for words in commands:
        quick = "--steps 4 --seeds 1 --attention skip --quiet".split()
        code, text = call(*words, *(quick if words[0] == "diagnose" else []))
        assert code == 0, text
    assert [words[0] for words in commands] == ["look", "diagnose"] + ["predict"] * 2
    assert (tmp_path / "runs" / "cifar" / "report.html").exists()
    assert len(list((tmp_path / "shown").iterdir())) == 3
