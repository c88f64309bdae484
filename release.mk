# 发布：做法在 tools/release.py，步骤见 CONTRIBUTING.md
# 变量：TAG=标签（由工作流给出，必须等于 v 加版本）；没有标签时是预演
.PHONY: release release-notes
TAG ?=
export TAG

release: pdf epub ## 做轮子、网站、PDF、EPUB → dist/；核对标签、版本、更新记录
	@.venv/bin/python tools/release.py build "$$TAG"

release-notes: ## 印出这一版的更新记录
	@$(or $(PYTHON),python3) tools/release.py notes
