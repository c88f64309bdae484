# 人只需要记住这些目标；每个目标怎么做，写在 tools/course.py
# 变量：PYTHON=解释器路径（造 .venv 用），PORT=端口（make serve 用）
.DEFAULT_GOAL := help
PORT ?= 8000
COURSE := sh tools/run

.PHONY: help env book test lint parity bench serve clean distclean

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

serve: ## 在本机看书：make serve PORT=8000
	@$(COURSE) serve $(PORT)

clean: ## 删掉造出来的书与笔记本缓存，留下 .venv
	@$(COURSE) clean

distclean: ## 回到刚克隆的样子：连 .venv 与下载缓存也删掉
	@$(COURSE) distclean

# 其余的房间各有一份：网站、到处能跑、发布、可信
include $(wildcard *.mk)
