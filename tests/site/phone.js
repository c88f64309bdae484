// 一次来访，把手机上该看的都看一遍；返回出毛病的地方：毛病 → 几个例子
() => {
  const all = (selector) => [...document.querySelectorAll(selector)]
    .filter(node => node.checkVisibility());
  const name = (node) => node.textContent.trim().slice(0, 40);
  const signless = (node) => node.scrollWidth > node.clientWidth + 1
    && !(/right/.test(node.dataset.more) && getComputedStyle(node).maskImage !== 'none');
  const hidden = (node) => {
    const box = node.getBoundingClientRect();
    const frame = node.closest('.pst-scrollable-table-container').getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > Math.min(frame.right, innerWidth) + 1;
  };
  const headed = (table) => [...table.rows[0].cells].map(c => c.textContent.trim())
    .flatMap((head, k) => /^(结论|诊断)$/.test(head) ? [k] : [])
    .flatMap(k => [...table.rows].slice(1).map(row => row.cells[k]))
    .filter(cell => cell.textContent.trim());
  const range = document.createRange();
  const torn = (heading) => {
    const found = [];
    const walker = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
      if (node.parentElement.closest('.katex')) continue;
      for (let i = 1; i < node.length; i += 1) {
        if (!/[\w.]\w/.test(node.data.slice(i - 1, i + 1))) continue;
        const tops = [i - 1, i].map(k => {
          range.setStart(node, k); range.setEnd(node, k + 1);
          return range.getBoundingClientRect().top;
        });
        if (tops[1] > tops[0] + 4) found.push(heading.textContent);
      }
    }
    return found;
  };
  const ids = [...document.querySelectorAll('[id]')].map(node => node.id);
  const text = document.querySelector('article').innerText;
  return {
    '结论不在框里': all('article table').flatMap(headed).filter(hidden).map(name),
    '还有一截，没有记号': all('.math-scroll, .pst-scrollable-table-container, .wide, pre')
      .filter(signless).map(name),
    '上一页、下一页没写全': all('.prev-next-area a, .prev-next-area p').filter(a =>
      a.scrollWidth > a.clientWidth + 1 || a.getBoundingClientRect().right > innerWidth).map(name),
    '标题断在词里': all('article :is(h1, h2, h3, h4)').flatMap(torn),
    '锚点没有名字': all('article a.headerlink').map(a => decodeURIComponent(a.hash))
      .filter(hash => /^#(id\d+|)$/.test(hash)),
    '锚点重复': ids.filter((id, k) => ids.indexOf(id) !== k),
    '负的零': text.match(/[−-]0(\.0+)?(?![\d.])/g) || [],
    '图缩得太小': all('article img').filter(image =>
      image.getBoundingClientRect().width < parseFloat(getComputedStyle(image).minWidth) - 1)
      .map(image => image.alt),
  };
}
