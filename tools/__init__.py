"""造书、检查、发布的工具：course.py 是全部目标的表，其余一间一件事。

build    环境、笔记本、附录「状态」、试过的结果；都从 workplace.py 起步
site     网站：Sphinx 扩展（ext/）、本机的服务器、浏览器、PDF 与 EPUB、会答话的图
lint     写法、标点、用词、许可、工作流、链接
launch   仓库的地址、笔记本的第一格、像 Colab 的空房、断网的空房
deps     锁、漏洞、最低与最新的版本
proof    测试有没有牙、批改认不认得、轻量的一份
figures  示意图，与它们要数的房间

release.py 做发布的几样，offline.py 做离线包。
在仓库的根目录里运行：python -m tools.间.名字。
"""
