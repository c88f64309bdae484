"""带走整本书：EPUB 的每个文件都合规矩、带着中文字体；PDF 的字体嵌在里面。"""

import re
import subprocess
import sys
import zipfile
from io import BytesIO

import pytest
from fontTools.ttLib import TTFont
from lxml import etree

from tools.build.workplace import ROOT
from tools.site import take


@pytest.fixture(scope="module")
def epub(book):
    """写好的 EPUB。"""
    with zipfile.ZipFile(take.command_epub()) as found:
        yield found


def test_epub_starts_with_its_type(epub):
    first = epub.infolist()[0]
    assert first.filename == "mimetype"
    assert first.compress_type == zipfile.ZIP_STORED
    assert epub.read(first) == b"application/epub+zip"


def test_every_page_is_in_the_epub(epub):
    spine = epub.read("OEBPS/content.opf").decode().count("<itemref")
    assert spine == len(take.names())


def test_epub_files_are_well_formed_and_complete(epub):
    files = set(epub.namelist())
    for name in files:
        if name.endswith((".xhtml", ".opf", ".xml", ".svg")):
            tree = etree.fromstring(epub.read(name))
            ids = tree.xpath("//@id")
            assert len(ids) == len(set(ids)), name
            for link in tree.xpath("//@src | //@*[local-name()='href']"):
                path = link.partition("#")[0]
                inside = path and not path.startswith(("http", "data:", "mailto:"))
                base = "" if name.startswith("META") else "OEBPS/"
                assert not inside or base + path in files, (name, link)


def test_epub_font_has_every_han_character(epub):
    font = TTFont(BytesIO(epub.read("OEBPS/fonts/han.woff"))).getBestCmap()
    text = "".join(
        "".join(etree.fromstring(epub.read(name)).itertext())
        for name in epub.namelist()
        if name.endswith(".xhtml")
    )
    han = {char for char in text if "\u4e00" <= char <= "\u9fff"}
    assert len(han) > 300
    assert han <= {chr(code) for code in font}


def test_pdf_has_bookmarks_pages_and_chinese_fonts(book, browser):
    command = [sys.executable, "tools/site/take.py", "pdf"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
    data = (take.OUT / f"{take.NAME}.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    count = data.count(b"/Type /Page\n")
    assert count < 400
    assert len(data) < 15 * 2**20
    book = (take.OUT / "book.html").read_text("utf8")
    starts = [int(n) for n in re.findall(r"</a><span>(\d+)</span></li>", book)]
    printed = [n for n in take.names() if not n.startswith(take.ONLINE)]
    assert len(starts) == len(printed) > 50
    assert starts == sorted(set(starts))  # 每一页另起一页
    assert 3 <= starts[0] <= starts[-1] <= count
    assert b"NotoSansSC" in data
    assert b"/FontFile2" in data
    assert b"/Outlines" in data
