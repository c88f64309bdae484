# 到处能跑：仓库的地址、笔记本的门口、像 Colab 那样的空房
# 变量：REPO=主人/名字（make address 用）；NOTEBOOKS=只跑哪几本（make colab-check 用）；
# COURSE_PACKAGE=wheel 的路径或网址（笔记本的第一格用）
.PHONY: address colab-check

address: ## 报告仓库的地址；make address REPO=主人/名字 换成自己的，每个链接一起换
	@$(or $(PYTHON),python3) tools/address.py $(REPO)
	@$(or $(PYTHON),python3) tools/doorstep.py

colab-check: env ## 造 wheel，在像 Colab、AI Studio 的空环境里跑每一本笔记本
	@.venv/bin/python tools/colab.py $(NOTEBOOKS)
