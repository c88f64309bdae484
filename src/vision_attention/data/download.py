"""下载 CIFAR-10：缓存、镜像、校验、断点续传；同时启动的进程只下载一次。"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from vision_attention import checks
from vision_attention.storage import files
from vision_attention.storage.locks import locked

ARCHIVE = "cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
OFFICIAL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
# 先试中国大陆的镜像（飞桨的 paddle.vision.datasets.Cifar10 用的就是它），md5 与官方同
MIRRORS = (f"https://dataset.bj.bcebos.com/cifar/{ARCHIVE}", OFFICIAL)
CACHE_VARIABLE = "VISION_ATTENTION_CACHE"
TIMEOUT = (10, 30)  # 秒：连接，两次收到数据之间


def cache_folder() -> Path:
    """缓存文件夹：环境变量 VISION_ATTENTION_CACHE，否则是本系统惯用的位置。"""
    import pooch

    chosen = os.environ.get(CACHE_VARIABLE) or pooch.os_cache("vision-attention")
    return checks.path(CACHE_VARIABLE, chosen)


def fetch() -> Path:
    """交出一份校验过的官方压缩包：缓存里有就用，没有就依次试各个镜像。

    断了的下载留下 .part，下次从断处接着下；写完、校验过才改成正式的名字。

    错误: 所有镜像都不成时抛出 ConnectionError，信息里是手工下载的步骤；
        缓存写不进去时抛出 PermissionError，磁盘满时抛出 OSError
    """
    target = cache_folder() / ARCHIVE
    if intact(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target):
            return from_mirrors(target)
    except ConnectionError:
        raise
    except OSError as error:
        full = error.errno == errno.ENOSPC
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise (OSError if full else PermissionError)(
            f"缓存文件夹 {target.parent} 写不进去（{files.reason(cause)}）；"
            f"请把环境变量 {CACHE_VARIABLE} 设为一个可写的文件夹，"
            f"或用 root= 指向已有的 {ARCHIVE}"
        ) from error


def intact(path: Path) -> bool:
    """文件 path 存在，md5 也相符。"""
    import pooch

    return path.is_file() and pooch.file_hash(str(path), alg="md5") == MD5


def from_mirrors(target: Path) -> Path:
    """依次试各个镜像，直到有一个给出校验相符的文件；已经有了就不再下载。

    错误: 全都不成时抛出 ConnectionError
    """
    import pooch
    import requests

    reasons = []
    if target.is_file():
        size = f"{target.stat().st_size:,}"
        reasons.append(f"  {target}\n    已有的文件 md5 不符（{size} 字节），不能用")
    for url in MIRRORS:
        try:
            pooch.retrieve(
                url, f"md5:{MD5}", target.name, target.parent, downloader=resume
            )
            return target
        except (requests.RequestException, ValueError) as error:
            reasons.append(f"  {url}\n    {explain(error)}")
    raise ConnectionError(by_hand(target, reasons))


def explain(error: Exception) -> str:
    """一行原因。"""
    import requests

    if isinstance(error, requests.Timeout):
        return "超时"
    if isinstance(error, requests.HTTPError):
        return f"服务器回答 {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return f"连不上或中途断开（{type(error).__name__}）"
    return "内容的 md5 不符，已删去"


def by_hand(target: Path, reasons: list[str]) -> str:
    """没有网络时的手工步骤。"""
    tried = "\n".join(reasons)
    return (
        f"CIFAR-10 没有下载成功，试过：\n{tried}\n"
        "已下载的部分会留着，联网后再运行一次就从断处继续。也可以手工取一次：\n"
        f"  1. 在能上网的机器上用浏览器下载 {MIRRORS[0]}（约 163 MiB）\n"
        f"     或 {OFFICIAL}\n"
        f"  2. 核对：md5sum {ARCHIVE} 应得到 {MD5}\n"
        f"  3. 放到 {target}\n"
        f'     或放在任何地方，载入时写 data.load("cifar10", root="它的路径")'
    )


def resume(url: str, output_file: str, pooch: object) -> None:
    """交给 pooch 用的下载器：从 .part 已有的长度接着下，完整之后才交给 pooch 校验。

    参数: output_file 是 pooch 给的临时文件；第三个参数由 pooch 传入，这里不用
    错误: 连接断开时抛出 requests 的异常，.part 留着
    """
    import requests

    part = Path(output_file).with_name(f"{ARCHIVE}.part")
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.range_not_satisfiable:
            # 已经下完，或本地的比服务器的还长：交给校验去判断
            part.replace(output_file)
            return
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0  # 服务器不支持续传，从头来
        total = have + int(response.headers.get("Content-Length", 0))
        receive(response, part, have, total)
    if part.stat().st_size < total:
        raise requests.ConnectionError(f"只收到 {part.stat().st_size}/{total} 字节")
    part.replace(output_file)


def receive(response: object, part: Path, have: int, total: int) -> None:
    """把响应的内容接在 part 的 have 字节之后，带进度条。"""
    from tqdm import tqdm

    with (
        part.open("ab" if have else "wb") as file,
        tqdm(
            desc="CIFAR-10", total=total, initial=have, unit="B", unit_scale=True
        ) as bar,
    ):
        for chunk in response.iter_content(1 << 16):
            bar.update(file.write(chunk))
