"""Lighthouse：无障碍、最佳实践、SEO 都是满分。

性能分会随机器摇摆，不在这里查：见 make lighthouse。每次只看封面：axe 每一页都走过；
正文、结果、笔记本、显微镜由 make matrix 看。
"""

import pytest

from tools.site import chrome, lighthouse
from tools.site.server import serving

COVER, *OTHERS = lighthouse.pages()
OTHERS = [pytest.param(page, marks=pytest.mark.matrix) for page in OTHERS]


@pytest.mark.parametrize("page", [COVER, *OTHERS])
def test_scores_are_full(book, browser, page):
    try:
        with serving(book) as root:
            scores, failed = lighthouse.score(root + page, lighthouse.FIXED)
    except lighthouse.NoLighthouseError as error:
        if chrome.in_ci():
            raise
        pytest.skip(str(error))
    assert failed == []
    assert scores == dict.fromkeys(lighthouse.FIXED, 100)
