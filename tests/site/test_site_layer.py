"""网站层的每一步单独看：剪样式、折叠、公式、图片、索引、网址。"""

import re
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from lxml import etree
from lxml import html as parser

from tools.build.workplace import ROOT

sys.path.insert(0, str(ROOT / "tools" / "site" / "ext"))

from book_site import (
    api,
    assets,
    images,
    maths,
    page,
    prune,
    search,
    seo,
    tables,
    text,
)


def test_unused_rules_are_pruned():
    css = ".a{x:1}.b{x:2}.a .c,.a:not(.d){x:3}@media print{.b{x:4}}p{x:5}"
    assert prune.prune(css, {"a"}) == ".a{x:1}.a:not(.d){x:3}p{x:5}"


def test_strings_and_fonts_survive_pruning():
    css = '@font-face{src:url(a;b.woff)}.a::after{content:"}{.b"}@media print{.a{x:1}}'
    assert prune.prune(css, {"a"}) == css


def test_rules_for_absent_ids_and_attributes_are_pruned():
    pages = ['<p id="b" class="c" data-d="e">', '<p hidden> g h="i" </p>']
    known = prune.words(pages, "f")
    assert known == {"id", "b", "class", "c", "data-d", "hidden", "f"}
    css = "#a{x:1}#b{x:2}[data-x]{x:3}[data-d]:hover{x:4}[hidden]{x:5}"
    assert prune.prune(css, known) == "#b{x:2}[data-d]:hover{x:4}[hidden]{x:5}"


def test_variables_and_animations_nobody_reads_are_dropped():
    css = ':root{--a:1;--b:var(--a);--c:"x;y";--d:2}p{x:var(--d)}.e--f{x:3}'
    moving = "@keyframes g{to{x:1}}@keyframes h{to{x:2}}p{animation:h}"
    assert prune.lean(css + moving) == (
        ":root{--d:2}p{x:var(--d)}.e--f{x:3}@keyframes h{to{x:2}}p{animation:h}"
    )


def test_empty_rules_and_animations_named_alike_are_dropped():
    css = ":root{ }@keyframes a{to{x:1}}@keyframes a-b{to{x:2}}p{animation:a-b}"
    assert prune.lean(css) == "@keyframes a-b{to{x:2}}p{animation:a-b}"


def test_script_loses_remarks_and_indents_only():
    script = '/* 一 */\n(() => {\n  // 二\n\n  say("// 三"); /* 四 */\n})();\n'
    assert assets._bare(script) == '(() => {\nsay("// 三"); /* 四 */\n})();\n'


def test_formula_fonts_have_every_letter_of_the_formulas(book):
    """两种字体写在样式里：公式里有、字体原来也有的字，一个不少；多余的不带。"""
    style = (book / "_static" / "maths.css").read_text("utf8")
    written = {"Main-Regular": set(), "Math-Italic": set()}
    for path in book.rglob("*.html"):
        page = path.read_text("utf8")
        if 'class="katex"' not in page:
            continue
        for formula in parser.fromstring(page).find_class("katex-html"):
            written["Main-Regular"] |= set(formula.text_content())
            for part in formula.find_class("mathnormal"):
                written["Math-Italic"] |= set(part.text_content())
    embedded = re.findall(r"url\(data:font/woff2;base64,([^)]+)\)", style)
    known = [set(TTFont(BytesIO(b64decode(font))).getBestCmap()) for font in embedded]
    for name, letters in written.items():
        path = Path(maths.KATEX, "fonts", f"KaTeX_{name}.woff2")
        wanted = set(map(ord, letters)) & set(TTFont(path).getBestCmap())
        assert len(wanted) > 40
        assert any(wanted <= font and len(font) < len(wanted) + 5 for font in known)


def test_shrinking_keeps_strings():
    css = '/* c */ .a  >  .b { content: " , " ; color : red ; }'
    assert prune.shrink(css).strip() == '.a>.b{content: " , ";color : red}'


def test_formula_is_drawn_twice_for_eyes_and_ears():
    error, html = maths.render(r"\frac{QK^\top}{\sqrt{d}}", display=True)
    assert error == ""
    assert "<math" in html
    assert "katex-html" in html


def test_wrong_formula_is_an_error():
    error, html = maths.render(r"\frac{1}{", display=False)
    assert "KaTeX" in error
    assert html == ""


def test_formula_takes_its_comma_along():
    _, html = maths.render("a + b", display=False)
    tailed = maths.with_tail(html, "，")
    assert parser.fromstring(tailed).xpath("//span[@class='nobr']/span[@class='tail']")
    assert maths.with_tail(html, "") == html


def test_several_lines_are_aligned():
    assert maths.aligned("a \\\\ b", False) == "\\begin{split}a \\\\ b\\end{split}"
    assert maths.aligned("\\begin{pmatrix}1\\\\2\\end{pmatrix}", False).startswith(
        "\\begin{pmatrix}"
    )
    assert "gathered" in maths.aligned("a\n\nb", False)
    matrices = "P = \\begin{pmatrix}1\\\\2\\end{pmatrix} + 1"
    assert maths.aligned(matrices, False) == matrices


def test_line_break_between_han_is_no_space():
    assert text.BREAK.sub("", "注意\n力，\n  然后") == "注意力，然后"
    assert text.BREAK.sub("", "用 ViT\n训练") == "用 ViT\n训练"


def test_line_may_break_before_a_straight_quote():
    assert (
        text.QUOTE.sub("|", '取 "a"、"b"；\x00"c\x00"') == '取 "a"、|"b"；|\x00"c\x00"'
    )


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ('width="12" height="8"', (12, 8)),
        ('width="72pt" height="36pt"', (96, 48)),
        ('viewBox="0 0 30.4 20"', (30, 20)),
    ],
)
def test_svg_is_measured(tmp_path, head, size):
    path = tmp_path / "a.svg"
    path.write_text(f"<svg {head}><g/></svg>", "utf8")
    assert images.measure(path, 0)[0] == size


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ("Pooling，也译“汇聚”。把一块……", ["Pooling", "汇聚"]),
        ("Batch normalization，BN。在一批……", ["Batch normalization", "BN"]),
        (
            "Reduction ratio，也译“压缩比”“降维比”，记作",
            ["Reduction ratio", "压缩比", "降维比"],
        ),
        ("把一行分数变成……", []),
    ],
)
def test_aliases_are_read_from_the_definition(definition, names):
    assert search.aliases(definition) == names


def test_index_has_sections_terms_and_definitions():
    article = parser.fromstring(
        "<article><section id='a'><h1>题<a class='headerlink'>#</a></h1><p>文</p>"
        "<pre>class Gate(nn.Module):\n  def gate(self):</pre>"
        "<section id='b'><h2>节</h2><dl class='glossary'><dt id='term-x'>池化</dt>"
        "<dd>Pooling，也译“汇聚”。</dd></dl></section></section></article>"
    )
    rows = list(search._sections(article))
    assert [row[:3] for row in rows] == [
        ["a", "题", 1],
        ["b", "节", 2],
        ["term-x", "池化", 3],
    ]
    assert rows[0][4] == "Gate gate"
    assert rows[2][5] == ["池化", "Pooling", "汇聚"]


def test_sitemap_is_valid_xml():
    tree = etree.fromstring(
        seo.sitemap(["https://a.b/c/", "https://a.b/c/d.html"]).encode()
    )
    assert [node.text for node in tree.iter("{*}loc")] == [
        "https://a.b/c/",
        "https://a.b/c/d.html",
    ]


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("cbam/index.html#x", "book/cbam/index.html#x"),
        ("../_static/book.css?v=1", "_static/book.css?v=1"),
        ("../search.html", "search.html"),
        ("#here", "#here"),
        ("https://a.b/", "https://a.b/"),
    ],
)
def test_home_page_moves_its_links(url, moved):
    assert seo.rebased(url, "book") == moved


def test_page_keeps_scripts_it_does_not_know():
    html = (
        '<head><link rel="stylesheet" href="_static/a.css">'
        '<script src="_static/scripts/fontawesome.js?digest=1"></script>'
        '<script src="_static/other.js"></script></head>'
    )
    bundled = page._bundled(html, "", "v")
    assert "a.css" not in bundled
    assert "fontawesome" not in bundled
    assert "other.js" in bundled
    assert bundled.count("book.js") == bundled.count("book.css") == 1


def test_tokens_of_the_base_colour_need_no_element():
    plain = '<span class="n">a</span><span class="p">(</span><span class="mi">1</span>'
    shown = "a(" + '<span class="mi">1</span>'
    # 接口一页的签名里，同名的 span 套着别的，留着
    nested = '<span class="n"><span class="pre">x</span></span>'
    assert page.PLAIN_TOKEN.sub(r"\1", plain + nested) == shown + nested


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_plain_tokens_have_the_base_colour(book, mode):
    css = (book / "_static" / "pygments.css").read_text("utf8")
    rule = rf'\[data-theme="{mode}"\] \.highlight (?:\.(\w+) )?{{[^}}]*?color: (#\w+)'
    colours = {name: colour.lower() for name, colour in re.findall(rule, css)}
    base = colours.pop("")
    assert {name: colours[name] for name in page.PLAIN} == dict.fromkeys(
        page.PLAIN, base
    )
    assert len(set(colours.values())) > 3


def test_katex_travels_with_its_licence(book):
    folder = Path(maths.KATEX)
    assert "MIT" in (folder / "LICENSE").read_text("utf8")
    published = book / "_static" / "katex" / "LICENSE"
    assert published.read_bytes() == (folder / "LICENSE").read_bytes()
    for path in folder.joinpath("katex.min.css").read_text("utf8").split("url(")[1:]:
        assert (folder / path.split(")")[0]).is_file()


def test_empty_corner_is_no_header():
    cell = '<th class="head text-left"><p></p></th>'
    assert tables.named(cell) == '<td class="head text-left"></td>'


def test_header_of_formulas_has_a_name():
    cell = f'<th class="head"><p>{maths.render("W_0", display=False)[1]}</p></th>'
    assert '<span class="visually-hidden">W_0</span>' in tables.named(cell)
    plain = '<th class="head"><p>字</p></th>'
    assert tables.named(plain) == plain


def table(*cells):
    """一行三列的一张表，写成造出来的样子。"""
    head = "".join(f'<th class="head"><p>{name}</p></th>' for name in "甲乙丙")
    row = "".join(f"<td><p>{cell}</p></td>" for cell in cells)
    body = f"<thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody>"
    return f'<table class="table">{body}</table>'


@pytest.mark.parametrize(
    ("cell", "cards"),
    [
        ("f(1, other=True)", False),  # 两个字的话可以折
        ("<code>f(1, other=True)</code>", True),  # 一句代码不折，三列放不下
        ("<code>f(1)</code>", False),
    ],
)
def test_table_whose_code_would_break_becomes_cards(cell, cards):
    found = tables.named(table("一二三四", cell, cell))
    assert ('class="table cards"' in found) == cards


CONF = """
import sys
sys.path.insert(0, {path!r})
from book_site import search

def setup(app):
    app.add_config_value("external_site_map", ["index", "b", "c"], "")
    search.setup(app)
"""


def test_editing_one_page_builds_without_a_warning(tmp_path):
    # Sphinx 的索引若是建了又删，第二次只改一页就会抱怨；警告就是错误
    conf = CONF.format(path=str(ROOT / "tools" / "site" / "ext"))
    (tmp_path / "conf.py").write_text(conf, "utf8")
    (tmp_path / "index.rst").write_text(
        "首页\n====\n\n.. toctree::\n\n   b\n   c\n", "utf8"
    )
    (tmp_path / "c.rst").write_text("丙\n==\n", "utf8")
    words = [sys.executable, "-m", "sphinx", "-W", "-q", tmp_path, tmp_path / "out"]
    for body in ("一", "二"):
        (tmp_path / "b.rst").write_text(f"乙\n==\n\n{body}\n", "utf8")
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "out" / "searchindex.js").exists()


def test_docstrings_become_fields():
    lines = [
        "门：`gate(x)`。",
        "",
        "形状: x (B, C)",
        "    → (B,)",
        "参数：a* 为",
        "宽",
        "",
    ]
    assert api.fields(lines)[1:-1] == [
        "门：``gate(x)``。",
        "",
        ":形状: x (B, C) → (B,)",
        ":参数: a\\* 为宽",
        "",
    ]
