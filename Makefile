# 每个目标怎么做，写在 tools/ 里；这里只有名字、先后与一句说明
# 变量：PYTHON=解释器路径（造 .venv 用），PORT=端口（make serve 用），SEED=种子（make test 用，照那个次序重来）
.DEFAULT_GOAL := help
PORT ?= 8000
COURSE := sh tools/run

.PHONY: help env book test lint parity bench waits serve clean distclean

help: ## 列出所有目标
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: ## 只造 .venv、装依赖（make book 也会做这一步）
	@$(COURSE) env

book: ## 造书：.venv → 执行笔记本 → _build/html/index.html
	@$(COURSE) book

test: ## 证明一切：单元测试、每一本笔记本、整本书、书里的每个链接
	@$(COURSE) test

lint: ## 检查代码与正文的写法、许可、工作流、版本（几秒，不联网）
	@$(COURSE) lint

parity: ## 量两翼差多少，写进书里的「框架对照」；只量缺的，ALL=1 全部重量
	@$(COURSE) parity

bench: ## 量速度与内存：与公开实现比、两翼互比，写进书里的「速度与内存」（几分钟）
	@$(COURSE) bench

waits: ## 量读者等多久：导入、结论、笔记本、搜索、翻页；先 make book（要有 Chromium，三分钟）
	@$(COURSE) waits

serve: ## 在本机看书：make serve PORT=8000
	@$(COURSE) serve $(PORT)

clean: ## 删掉造出来的书与笔记本缓存，留下 .venv
	@$(COURSE) clean

distclean: ## 回到刚克隆的样子：连 .venv 与下载缓存也删掉
	@$(COURSE) distclean

# —— 网站：浏览器测试、Lighthouse、带走整本书 ——
# 发布到网上时：SITE_URL=https://网址/ make book，才有站点地图与规范网址
.PHONY: pdf epub lighthouse screenshot test-site

pdf: book ## 拿来读的 PDF：一翼，不印折叠的代码与笔记本 → _build/take/（要有 Chromium）
	@.venv/bin/python -m tools.site.pdf

epub: book ## 整本书的 EPUB → _build/take/
	@.venv/bin/python -m tools.site.epub

lighthouse: book ## 手机上的四项分数，五次取中位数（要有 Chromium 与 Node）
	@.venv/bin/python -m tools.site.lighthouse

screenshot: book ## 重照 README 顶上那张首页（要有 Chromium）
	@.venv/bin/python -m tools.site.screenshot

test-site: book ## 只跑网站的浏览器测试；make test 里也有它们
	@.venv/bin/python -m pytest tests/site -q

# —— 到处能跑：仓库的地址、笔记本的门口、像 Colab 那样的空房 ——
# 变量：REPO=主人/名字（make address 用）；NOTEBOOKS=只跑哪几本（make colab-check 用）；
# COURSE_PACKAGE=wheel 的路径或网址（笔记本的第一格用）
.PHONY: address colab-check

address: ## 报告仓库的地址；make address REPO=主人/名字 换成自己的，每个链接一起换
	@$(or $(PYTHON),python3) -m tools.launch.address $(REPO)
	@$(or $(PYTHON),python3) -m tools.launch.first_cell

colab-check: env ## 造 wheel，在像 Colab、AI Studio 的空环境里跑每一本笔记本
	@.venv/bin/python -m tools.launch.colab $(NOTEBOOKS)

# —— 可信：锁定与松开依赖、查漏洞、反复测试、最低与最新的版本 ——
# 变量：N=遍数，SUITES=只跑哪些（make flaky 用）；N=几处，SEED=种子，MINUTES=至多几分钟（make mutants 用）；
# N=几例（make fuzz 用）、几轮（make kills 用）
.PHONY: lock unpin audit flaky mutants fuzz kills lowest newest

lock: ## 从 requirements.txt 与 pyproject.toml 解出锁定的、带校验和的依赖
	@$(COURSE) lock

unpin: ## 松开 torch 固定的版本（改两份清单），为试最新的 PyTorch
	@$(COURSE) unpin

audit: ## 查锁定的依赖有没有已知的漏洞（要联网）
	@$(COURSE) audit

flaky: ## 换着次序把测试跑 N 遍（默认 5），不过的报出种子；先 make book
	@N="$(N)" SUITES="$(SUITES)" $(COURSE) flaky

mutants: env ## 把程序库弄坏 N 处（默认 40，SEED=种子），看测试红不红
	@N="$(N)" SEED="$(SEED)" MINUTES="$(MINUTES)" .venv/bin/python -m tools.proof.mutants

fuzz: env ## 随手造 N 例（默认 10,000）参数、输入与文件：算得出，或者一句话
	@N="$(N)" .venv/bin/python -m tools.proof.hostile fuzz

kills: env ## 研究与训练各 N 轮（默认 20），随机的时刻 kill -9，接着做完要一模一样
	@N="$(N)" .venv/bin/python -m tools.proof.hostile kills

lowest: ## 在单独的环境里试 pyproject.toml 答应的最低版本（几 GB）
	@$(COURSE) lowest

newest: ## 在单独的环境里试此刻最新的版本（几 GB）
	@$(COURSE) newest

# —— 每周的巡查与持续集成的几步 ——
.PHONY: matrix links colab-image workflows light

matrix: book ## 每周的大表：逐页、逐个用例、逐种导出（一两个小时）
	@$(COURSE) matrix

links: env ## 逐个打开书与笔记本里的外部链接，列出打不开的（要联网）
	@.venv/bin/python -m tools.lint.links

colab-image: env ## 在 Google 公开的 Colab 镜像里跑每一本笔记本（要 Docker，下载几十 GB）
	@.venv/bin/python -m tools.launch.colab_image

workflows: ## 再用 actionlint 检查 .github/workflows（首次要联网）；zizmor 在 make lint 里
	@$(COURSE) workflows

light: env ## 不靠 Unix 的那一小份测试：macOS 上跑的就是它，Windows 上直接跑 python -m tools.proof.light
	@.venv/bin/python -m tools.proof.light

# —— 发布：步骤见 CONTRIBUTING.md ——
# 变量：TAG=标签（由工作流给出，必须等于 v 加版本）；没有标签时是预演
# PHOTOS=照片的压缩包（make offline 用，可以没有）
.PHONY: release release-notes offline offline-check
TAG ?=
export TAG

release: pdf epub ## 做轮子、网站、PDF、EPUB → dist/；核对标签、版本、更新记录
	@.venv/bin/python -m tools.release build "$$TAG"

offline: book ## 没有网的教室用的一个包：网站、轮子、笔记本、数据 → dist/…-offline.zip
	@.venv/bin/python -m tools.offline $(PHOTOS)

offline-check: env ## 断了网，把离线包装进空文件夹，两翼各跑一本笔记本
	@.venv/bin/python -m tools.launch.offline

release-notes: ## 印出这一版的更新记录
	@$(or $(PYTHON),python3) -m tools.release notes
