# 网站：浏览器测试、Lighthouse、带走整本书；做法在 tools/site_*.py
# 发布到网上时：SITE_URL=https://网址/ make book，才有站点地图与规范网址
.PHONY: pdf epub lighthouse screenshot test-site

pdf: book ## 拿来读的 PDF：一翼，不印折叠的代码与笔记本 → _build/take/（要有 Chromium）
	@.venv/bin/python tools/site_take.py pdf

epub: book ## 整本书的 EPUB → _build/take/
	@.venv/bin/python tools/site_take.py epub

lighthouse: book ## 手机上的四项分数，五次取中位数（要有 Chromium 与 Node）
	@.venv/bin/python tools/site_lighthouse.py

screenshot: book ## 重照 README 顶上那张首页（要有 Chromium）
	@.venv/bin/python tools/site_screenshot.py

test-site: book ## 只跑网站的浏览器测试；make test 里也有它们
	@.venv/bin/python -m pytest tests/site -q
