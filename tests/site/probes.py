"""在页面里跑的几句脚本：各个测试问同一件事，用的是同一句。"""

from pathlib import Path

import axe_playwright_python

HERE = Path(__file__).parent
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf8")
CONTRAST = (HERE / "contrast.js").read_text("utf8")
PHONE = (HERE / "phone.js").read_text("utf8")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# 行内的代码伸出屏幕：整页不会撑宽，但读者看不到后半截
CUT_OFF = """[...document.querySelectorAll('article code.literal')]
  .filter(c => c.getClientRects().length
    && !c.closest('pre, .pst-scrollable-table-container, .wide')
    && c.getBoundingClientRect().right > innerWidth)
  .map(c => c.textContent)"""
FORMULAS = """[...document.querySelectorAll('article .math')].filter(m => {
  if (!m.checkVisibility()) return false;
  const box = m.querySelector('.katex-html .katex-base');
  return !box || box.getBoundingClientRect().width < 2;
}).map(m => m.textContent)"""
RAW = "/\\\\\\(|\\\\\\[|\\$\\$/.test(document.querySelector('article').innerText)"
BROKEN = """Promise.all([...document.querySelectorAll('article img')].map(i => {
  i.loading = 'eager';
  return i.decode().then(() => '', () => i.src);
})).then(found => found.filter(Boolean))"""
# 每一行的字数：按字的位置分行，两个半角算一个字
LINES = """[...document.querySelectorAll('article section > p')]
  .filter(p => p.innerText.length > 80 && !p.querySelector('.katex, img'))
  .map(p => p.clientWidth / parseFloat(getComputedStyle(p).fontSize))"""
ORPHANS = """(() => {
  const closing = /[，。、；：？！）」』”’》]/;
  const found = [];
  const walker = document.createTreeWalker(
    document.querySelector('article'), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let last = null;
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (parent.closest('pre, svg, .katex-mathml, table, summary')) continue;
    const block = parent.closest('p, li, dd, dt, h1, h2, h3, figcaption');
    for (let i = 0; i < node.length; i += 1) {
      if (/[\\s\\u2060]/.test(node.data[i])) continue;
      range.setStart(node, i); range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      if (!box.width) continue;
      const newline = last && last.block === block && box.left < last.left
        && box.top > last.top + 4;
      if (newline && closing.test(node.data[i])) found.push(node.data.slice(0, i + 1));
      last = { block, left: box.left, top: box.top };
    }
  }
  return found;
})()"""
