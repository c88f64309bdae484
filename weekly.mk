# 每周的巡查与 CI 的几步：外部链接、真的 Colab 镜像、工作流的检查、别的系统上的轻量测试
.PHONY: links colab-image workflows light matrix

links: env ## 逐个打开书与笔记本里的外部链接，列出打不开的（要联网）
	@.venv/bin/python tools/links.py

colab-image: env ## 在 Google 公开的 Colab 镜像里跑每一本笔记本（要 Docker，下载几十 GB）
	@.venv/bin/python tools/colab_image.py

workflows: env ## 用 actionlint 与 zizmor 检查 .github/workflows（首次要联网）
	@.venv/bin/python tools/workflows.py

matrix: book ## 每周的大表：逐页、逐个用例、逐种导出（一两个小时）
	@$(COURSE) matrix

light: env ## 不靠 Unix 的那一小份测试：macOS 上跑的就是它，Windows 上直接跑 tools/light.py
	@.venv/bin/python tools/light.py
