# 可信：锁定与松开依赖、查漏洞、反复测试、最低与最新的版本；做法在 tools/trust.py 与 tools/trial.py
# 变量：N=遍数，SUITES=只跑哪些（make flaky 用）；SEED=种子（make test 用，照那个次序重来）
.PHONY: lock unpin audit flaky lowest newest

lock: ## 从 requirements.txt 与 pyproject.toml 解出锁定的、带校验和的依赖
	@$(COURSE) lock

unpin: ## 松开 torch 固定的版本（改两份清单），为试最新的 PyTorch
	@$(COURSE) unpin

audit: ## 查锁定的依赖有没有已知的漏洞（要联网）
	@$(COURSE) audit

flaky: ## 换着次序把测试跑 N 遍（默认 5），不过的报出种子；先 make book
	@N="$(N)" SUITES="$(SUITES)" $(COURSE) flaky

lowest: ## 在单独的环境里试 pyproject.toml 答应的最低版本（几 GB）
	@$(COURSE) lowest

newest: ## 在单独的环境里试此刻最新的版本（几 GB）
	@$(COURSE) newest
