"""样式与脚本：几十个文件并成一份样式、一份脚本，造书结束时写进 _static。

公式的样式与字体另成一份，只有写着公式的页才取。

样式里只留下全书真正出现的类名；图标字体只留下样式用到的
那几个字；主题原来为图标载入 1.5 MB 的脚本。
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from posixpath import normpath

from lxml import html as parser
from sphinx.application import Sphinx

from . import prune

HERE = Path(__file__).parent
STATIC = HERE.parents[3] / "book" / "_static"
STYLE, MATHS, SCRIPT = "book.css", "maths.css", "book.js"
LIVING = "living.css"  # 会答话的图：只有画着它的页才取
FIRST = ("styles/theme.css", "styles/pydata-sphinx-theme.css")
KATEX = "katex/katex.min.css"
LAST = ("site.css", "search.css", "quiz.css")
SCRIPTS = ("site.js", "quiz.js", "living.js", "search.js")
# 主题与扩展会载入、而本书不再需要的脚本：由造书时的一步或 site.js 里的几行替代
DROPPED = (
    "documentation_options.js",
    "doctools.js",
    "scripts/bootstrap.js",
    "scripts/pydata-sphinx-theme.js",
    "scripts/sphinx-book-theme.js",
    "clipboard.min.js",
    "copybutton.js",
    "design-tabs.js",
    "scripts/fontawesome.js",
    "sphinx_highlight.js",
    "translations.js",
    "togglebutton.js",
    "sphinx-thebe.js",
    "searchtools.js",
    "language_data.js",
)
UNUSED_STYLES = ("sphinx-thebe.css", "togglebutton.css", "copybutton.css")
PRIVATE = re.compile("[\ue000-\uf8ff]")
ESCAPE = re.compile(r"\\([ef][0-9a-f]{3})\b")
ICON_FONT = re.compile(
    r"url\(['\"]?(vendor/fontawesome/webfonts/[\w-]+\.woff2)['\"]?\)"
)
# 几乎每条公式都用到的字体：晚到一步，行内的公式变宽，一整行就重新折
FORMULA_FONT = re.compile(
    r"url\((katex/fonts/KaTeX_(Main-Regular|Math-Italic)\.woff2)\)"
)
DRAWN_FORMULA = "katex-html"
TRUETYPE = re.compile(r",url\(['\"]?[^)]*\.ttf['\"]?\) ?format\(['\"]?truetype['\"]?\)")
INDENT = re.compile(r"^[ \t]+", re.M)
REMARK = re.compile(r"^(?://.*|/\*(?s:.*?)\*/[ \t]*)?\n", re.M)
URL = re.compile(r"url\((['\"]?)(?!data:|#|https?:)([^)'\"]+)\1\)")


def setup(app: Sphinx) -> None:
    """造书结束、静态文件都到位之后打包。"""
    app.connect("build-finished", _pack, priority=800)


def version() -> str:
    """打包内容的指纹，写在网址里，换了样式的读者不会看到旧的。"""
    digest = hashlib.sha256()
    sources = [*HERE.rglob("*.py"), *STATIC.glob("*.css"), *STATIC.glob("*.js")]
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _pack(app: Sphinx, error: Exception | None) -> None:
    """写出 book.css、book.js 与字体。"""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir, "_static")
    shutil.copytree(
        HERE / "katex" / "fonts", out / "katex" / "fonts", dirs_exist_ok=True
    )
    for name in ("katex.min.css", "LICENSE"):
        shutil.copy(HERE / "katex" / name, out / "katex")
    pages = [p.read_text(encoding="utf-8") for p in Path(app.outdir).rglob("*.html")]
    script = "\n;\n".join((out / name).read_text(encoding="utf-8") for name in SCRIPTS)
    (out / SCRIPT).write_text(_bare(script), encoding="utf-8")
    known = prune.words(pages, script)
    style = _with_icon_fonts(_pruned(out, _styles(app), known), out)
    (out / STYLE).write_text(style, encoding="utf-8")
    maths = _with_formula_fonts(_pruned(out, [KATEX], known), out, pages)
    (out / MATHS).write_text(TRUETYPE.sub("", maths), encoding="utf-8")


def _bare(script: str) -> str:
    """脚本去掉整行的注释与缩进；别的一字不动。"""
    return REMARK.sub("", INDENT.sub("", script))


def _styles(app: Sphinx) -> list[str]:
    """样式的名字，按层叠的次序。"""
    listed = [str(css.filename).split("?")[0] for css in app.builder._css_files]
    listed = [name.removeprefix("_static/") for name in listed]
    apart = (*FIRST, *LAST, *UNUSED_STYLES)
    return [*FIRST, *dict.fromkeys(n for n in listed if n not in apart), *LAST]


def _pruned(out: Path, names: Iterable[str], known: set[str]) -> str:
    """这几份接起来，剪去用不到的部分。"""
    css = "\n".join(_read(out, name) for name in names if (out / name).is_file())
    return prune.lean(prune.prune(prune.shrink(css), known))


def _read(out: Path, name: str) -> str:
    """一份样式，连同它 @import 的；其中的 url() 改成相对于 _static。"""
    folder = Path(name).parent.as_posix()
    css = (out / name).read_text(encoding="utf-8")
    css = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css)
    css = URL.sub(lambda m: f"url({m[1]}{normpath(f'{folder}/{m[2]}')}{m[1]})", css)
    return re.sub(
        r'@import (?:url\()?"([^"]+)"\)?;',
        lambda m: _read(out, normpath(f"{folder}/{m[1]}")),
        css,
    )


def _with_icon_fonts(style: str, out: Path) -> str:
    """图标来自字体：几百 KB 里只留用到的几个字，直接写进样式，省去几次请求。"""
    escaped = (chr(int(code, 16)) for code in ESCAPE.findall(style))
    wanted = "".join(sorted({*PRIVATE.findall(style), *escaped}))
    return ICON_FONT.sub(
        lambda m: _inlined(out / m[1], wanted), TRUETYPE.sub("", style)
    )


def _with_formula_fonts(style: str, out: Path, pages: Iterable[str]) -> str:
    """公式的两种字体只留公式里有的字，写进样式：与正文同时到，第一眼就是最后的样子。"""
    formulas = [
        formula
        for page in pages
        if DRAWN_FORMULA in page
        for formula in parser.fromstring(page).find_class(DRAWN_FORMULA)
    ]
    slanted = [part for one in formulas for part in one.find_class("mathnormal")]
    wanted = {
        name: "".join(sorted({char for one in found for char in one.text_content()}))
        for name, found in {"Main-Regular": formulas, "Math-Italic": slanted}.items()
    }
    return FORMULA_FONT.sub(lambda m: _inlined(out / m[1], wanted[m[2]]), style)


def _inlined(path: Path, wanted: str) -> str:
    """只留这几个字的字体，写成 data 网址。"""
    font = base64.b64encode(_subset(path, wanted)).decode()
    return f"url(data:font/woff2;base64,{font})"


def _subset(path: Path, wanted: str) -> bytes:
    """一个字体里只留这几个字，压成 woff2。"""
    from fontTools import subset

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(layout_features=[], notdef_outline=False)
    options.flavor = "woff2"
    truetype = path.with_suffix(".ttf")  # 图标字体的这一种才是全的
    font = subset.load_font(str(truetype if truetype.exists() else path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=wanted)
    subsetter.subset(font)
    result = io.BytesIO()
    subset.save_font(font, result, options)
    return result.getvalue()
