"""Lighthouse：无障碍、最佳实践、SEO 都是满分。

性能分会随机器摇摆，不在这里查：见 make lighthouse。每次只看封面：axe 每一页都走过；
一章与一本笔记本由 make matrix 看。
"""

import pytest
import site_browser
import site_lighthouse
from site_server import serving

COVER, *OTHERS = site_lighthouse.pages()
OTHERS = [pytest.param(page, marks=pytest.mark.matrix) for page in OTHERS]


@pytest.mark.parametrize("page", [COVER, *OTHERS])
def test_scores_are_full(book, browser, page):
    try:
        with serving(book) as root:
            scores, failed = site_lighthouse.score(root + page, site_lighthouse.FIXED)
    except site_lighthouse.NoLighthouseError as error:
        if site_browser.in_ci():
            raise
        pytest.skip(str(error))
    assert failed == []
    assert scores == dict.fromkeys(site_lighthouse.FIXED, 100)
