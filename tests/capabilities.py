"""这台机器许不许另开一个命名空间；自己的机器上可以不许，持续集成里不许就是错。"""

import os
import subprocess

from tools.site.chrome import in_ci

REMEDY = (
    "持续集成里不许跳过测试，而这台机器不许 unshare {kind}。"
    "容器里要用 root 与 --privileged；"
    "Ubuntu 24.04 起，非 root 要先执行 "
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
)


def unshared(kind, *probe):
    """返回在另一个命名空间里执行命令的前缀；不许就是 None。

    参数: kind 同 unshare：-m 自己挂载，-n 没有网络；probe 是先在里面试做的命令
    错误: 持续集成里不许时抛出 RuntimeError
    """
    prefix = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), kind]
    try:
        done = subprocess.run([*prefix, *probe], check=False, capture_output=True)
    except FileNotFoundError:
        done = None
    if done is not None and done.returncode == 0:
        return prefix
    if in_ci():
        raise RuntimeError(REMEDY.format(kind=kind))
    return None
