"""网站测试的准备：造好的书、发布它的本机网站、真正的 Chromium。"""

import os
from pathlib import Path

import matplotlib
import pytest
import yaml

from tools.build import toc
from tools.build.workplace import BUILD, ROOT, SITE
from tools.site import chrome
from tools.site.server import serving
from vision_attention.plots.font import font_path

SUBPATH = "/REPO/"
SCREENS = BUILD / "screens"
WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def toc_pages():
    """_toc.yml 里的每一页，加上首页、搜索页、索引页。"""
    names = toc.names()
    assert len(names) == len(set(names)) > 3
    pages = [f"{name}.html" for name in names]
    return ["index.html", *pages, "search.html", "genindex.html"]


# 每种样板一页：封面、章首、一节、题、结论、两翼的笔记本、各种附录、搜索
SAMPLE = (
    "index.html",
    "book/vit/index.html",
    "book/cbam/channel.html",
    "book/vit/diagnosis.html",
    "book/answers/sentences.html",
    "notebooks/torch/cbam.html",
    "notebooks/paddle/vit_overfitting.html",
    "book/appendix/api.html",
    "book/appendix/records.html",
    "book/glossary.html",
    "book/references.html",
    "search.html",
    "genindex.html",
)


def sampled(pages):
    """样板每次都看；与样板一样的那些页，make matrix 才看。"""
    marks = {True: (), False: pytest.mark.matrix}
    return [pytest.param(page, marks=marks[page in SAMPLE]) for page in pages]


@pytest.fixture(scope="session")
def queries():
    """搜索的考题。"""
    path = ROOT / "tests" / "site" / "queries.yml"
    return yaml.safe_load(path.read_text("utf8"))


@pytest.fixture(scope="session")
def book():
    """造好的书。"""
    assert (SITE / "index.html").exists(), "书还没有造出来：先 make book"
    return SITE


@pytest.fixture(scope="session")
def root(book):
    """从子路径上发布的网站的根网址。"""
    with serving(book, SUBPATH) as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    """无界面的 Chromium；CI 里没有就装上，别处没有就说怎样得到它。"""
    try:
        path = chrome.chromium()
    except chrome.NoChromiumError as error:
        if chrome.in_ci():
            raise
        pytest.skip(str(error))
    assert path
    with chrome.launched() as found:
        yield found


# 中文字体三种：思源黑体随 zhplot 而来，文泉驿要系统里有，再就是一种也没有
HAN = {
    "Noto": font_path().parent,
    "WenQuanYi": Path("/usr/share/fonts/truetype/wqy"),
    "none": None,
}
LATIN = Path(matplotlib.get_data_path(), "fonts", "ttf")


@pytest.fixture(scope="session")
def lettered(browser, tmp_path_factory):
    """字体的名字 → 只看得见它的 Chromium；西文用 Matplotlib 带的 DejaVu。"""
    found = {}

    def of(name):
        folder = HAN[name]
        if folder and not folder.is_dir():
            pytest.skip(f"没有 {folder}：sudo apt-get install fonts-wqy-zenhei")
        if name not in found:
            home = tmp_path_factory.mktemp("fonts")
            listed = "".join(f"<dir>{path}</dir>" for path in (LATIN, folder) if path)
            conf = f"<fontconfig>{listed}<cachedir>{home}</cachedir></fontconfig>"
            (home / "fonts.conf").write_text(conf, "utf8")
            found[name] = browser.browser_type.launch(
                executable_path=chrome.chromium(),
                args=chrome.FLAGS,
                env={**os.environ, "FONTCONFIG_FILE": str(home / "fonts.conf")},
            )
        return found[name]

    yield of
    for one in found.values():
        one.close()


@pytest.fixture
def tab(browser):
    """一个 1280 像素宽的标签页，记下它说过的错与发过的请求。"""
    with opened(browser) as page:
        yield page


class opened:  # noqa: N801
    """打开一个标签页：page.seen 里是请求、错误与字节数。"""

    def __init__(self, browser, mode="light", width=1280, **options):
        self.context = browser.new_context(
            color_scheme=mode, viewport={"width": width, "height": 900}, **options
        )

    def __enter__(self):
        self.context.add_init_script(WATCH_SHIFTS)
        self.context.set_default_timeout(15_000)
        page = self.context.new_page()
        page.seen = nothing_seen()
        page.on("request", lambda r: page.seen["requests"].append(r.url))
        page.on("response", lambda r: record(page.seen, r))
        page.on("pageerror", lambda e: page.seen["errors"].append(str(e)))
        page.on("console", lambda m: complain(page.seen, m))
        return page

    def __exit__(self, *_):
        self.context.close()


def nothing_seen():
    """一次来访开始时的记录。"""
    return {"requests": [], "errors": [], "missing": [], "bytes": 0}


def record(seen, response):
    """记下一个回答的大小与状态。"""
    seen["bytes"] += int(response.headers.get("content-length", 0))
    if response.status >= 400:
        seen["missing"].append(response.url)


def complain(seen, message):
    """浏览器控制台里的错误与警告。"""
    if message.type in ("error", "warning"):
        seen["errors"].append(message.text)
