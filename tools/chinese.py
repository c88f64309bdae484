"""中文标点：挨着汉字的半角标点换成全角。

用法:
    python tools/chinese.py 路径…          只检查，有要改的就列出并以 1 退出
    python tools/chinese.py --fix 路径…    就地改好

只看给人读的文字：Markdown 的正文（代码块、行内代码、公式不动）、Python 的注释与
字符串（原始字符串不动）、笔记本的 Markdown 格与代码格里的注释和字符串。
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
from pathlib import Path

HAN = r"\u3400-\u9fff\u3000-\u303f\uff00-\uffef「」"
FULL = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！"}
AFTER_HAN = re.compile(rf"(?<=[{HAN}])([,;?!])[ \t]*")
BEFORE_HAN = re.compile(rf"(?<=[^\s\\|])([,;?!])(?=[{HAN}])")
COLON_AFTER_HAN = re.compile(rf"(?<=[{HAN}]):(?![:/\-`])")
COLON_BEFORE_HAN = re.compile(rf"(?<=[\w)`*」}}]):(?=[{HAN}])")
IN_CHINESE = re.compile(r"(?<=[\w)\]`’”])([,;])(?=[A-Za-z`$])")
PARENTHESES = re.compile(rf"\(([^()\n]*[{HAN}][^()\n]*)\)")
MARKDOWN_CODE = re.compile(
    r"(```.*?```|:::+[^\n]*|^:[\w-]+:[^\n]*$|\{[\w:-]+\}`[^`\n]*`|`[^`\n]*`"
    r"|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)\n]*\)|<[^>\n]*>|^---\n.*?\n---$|^\([\w-]+\)=$)",
    re.DOTALL | re.MULTILINE,
)


def widen(text: str, labels: bool = False) -> str:
    """一段散文里的半角标点。labels 为真时保留「形状: x」这样的标签冒号。"""
    if not re.search(f"[{HAN}]", text):
        return text
    for pattern in (AFTER_HAN, BEFORE_HAN):
        text = pattern.sub(lambda m: FULL[m[1]], text)
    if labels:
        colon = re.compile(COLON_AFTER_HAN.pattern + r"(?! |\n|$)")
    else:
        colon = re.compile(COLON_AFTER_HAN.pattern + r" ?")
    text = colon.sub("：", text)
    text = COLON_BEFORE_HAN.sub("：", text)
    lines = []
    for line in text.split("\n"):
        chinese = re.search(f"[{HAN}]", line)
        lines.append(IN_CHINESE.sub(lambda m: FULL[m[1]], line) if chinese else line)
    text = "\n".join(lines)
    text = PARENTHESES.sub(r"（\1）", text)
    return re.sub(r" ?([（）]) ?", r"\1", text)


def markdown(text: str) -> str:
    """Markdown：代码与公式原样，其余加宽。"""
    parts = MARKDOWN_CODE.split(text)
    # 行内代码夹在汉字之间时，标点的邻居在另一段里：先用占位字符顶替再换回
    codes = parts[1::2]
    prose = "".join(
        part if i % 2 == 0 else f"\ue000{chr(0xE100 + i // 2)}\ue001"
        for i, part in enumerate(parts)
    )
    prose = re.sub(r"(?<=\ue001)([,;?!])(?=[\u3400-\u9fff\ue000])", _full, prose)
    prose = re.sub(r"(?<=\ue001):(?=[\u3400-\u9fff])", "：", prose)
    prose = widen(prose)
    return re.sub(
        "\ue000(.)\ue001", lambda m: codes[ord(m[1]) - 0xE100], prose, flags=re.DOTALL
    )


def python(text: str) -> str:
    """Python：注释与普通字符串加宽。"""
    lines = text.splitlines(keepends=True)
    edits = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        raw = re.match(r"(?i)(r|br|rb|fr|rf)['\"]", token.string)
        is_text = token.type in (tokenize.STRING, tokenize.COMMENT) or (
            tokenize.tok_name[token.type] == "FSTRING_MIDDLE"
        )
        if is_text and not raw:
            wide = widen(token.string, labels=True)
            if wide != token.string:
                edits.append((token.start, token.end, wide))
    for (row, column), (end_row, end_column), wide in reversed(edits):
        head = lines[row - 1][:column]
        tail = lines[end_row - 1][end_column:]
        lines[row - 1 : end_row] = [head + wide + tail]
    return "".join(lines)


def notebook(text: str) -> str:
    """笔记本：逐格处理，其余原样。"""
    data = json.loads(text)
    for cell in data["cells"]:
        convert = {"markdown": markdown, "code": _cell}.get(cell["cell_type"])
        if convert:
            cell["source"] = convert("".join(cell["source"])).splitlines(keepends=True)
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _cell(text: str) -> str:
    return text if text.lstrip().startswith(("%", "!")) else python(text)


def _full(match: re.Match) -> str:
    return FULL[match[1]]


KINDS = {".md": markdown, ".py": python, ".ipynb": notebook}


def main(arguments: list[str]) -> int:
    """逐个文件检查或改好，返回退出码。"""
    fix = "--fix" in arguments
    roots = [Path(a) for a in arguments if a != "--fix"]
    wrong = []
    for root in roots:
        files = [root] if root.is_file() else sorted(root.rglob("*"))
        for path in files:
            if path.suffix not in KINDS or "_build" in path.parts:
                continue
            before = path.read_text(encoding="utf-8")
            after = KINDS[path.suffix](before)
            if path.suffix == ".ipynb" and json.loads(before) == json.loads(after):
                continue
            if after != before:
                wrong.append(path)
                if fix:
                    path.write_text(after, encoding="utf-8")
    for path in wrong:
        print(f"{path}：{'已改' if fix else '有挨着汉字的半角标点'}")
    return int(bool(wrong) and not fix)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
