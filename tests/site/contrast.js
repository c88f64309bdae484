// 代码里每个字与它的底色的对比度（WCAG 2.2，1.4.3 节）；返回不到 4.5 的：颜色 → 一个例子
() => {
  const numbers = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (node) => { // 第一层不透明的底色
    for (let at = node; at; at = at.parentElement) {
      const rgba = numbers(getComputedStyle(at).backgroundColor);
      if (rgba.length === 3 || rgba[3] === 1) return rgba;
    }
    return [255, 255, 255];
  };
  const faint = {};
  for (const node of document.querySelectorAll(".highlight pre, .highlight pre *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
    if (!own || !node.getClientRects().length) continue;
    const [ink, ground] = [numbers(getComputedStyle(node).color), paper(node)];
    const [low, high] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5 || ink.length > 3)
      faint[`${ink} 在 ${ground} 上，${ratio.toFixed(2)}`] = node.textContent.slice(0, 40);
  }
  return faint;
}
