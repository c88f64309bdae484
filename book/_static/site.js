/* 页面上的小事：能横向滚动的框可以用键盘滚；打印前展开折叠的内容；跳到折叠里面的锚点时先展开。 */
(() => {
  "use strict";
  const reachable = () => {
    for (const box of document.querySelectorAll(".math-scroll, .highlight pre, .pst-scrollable-table-container, .output pre, .cell_output, .wide")) {
      const scrolls = box.scrollWidth > box.clientWidth + 1;
      if (scrolls) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  const reveal = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && document.getElementById(id);
    const fold = target && target.closest("details:not([open])");
    if (fold) { fold.open = true; target.scrollIntoView(); }
  };
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("article details:not([open])")];
    opened.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((fold) => { fold.open = false; }));
  addEventListener("hashchange", reveal);
  addEventListener("resize", reachable);
  document.fonts.addEventListener("loadingdone", reachable); // 字体到了，公式可能变宽
  document.addEventListener("toggle", reachable, true);
  document.addEventListener("change", reachable, true);
  reveal();
  reachable();
})();
