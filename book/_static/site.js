/* 页面上的小事：明暗、搜索框、目录、复制、选项卡；宽框可以用键盘滚，折叠的内容打印前、跳到里面时展开。 */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const press = (selector, act) => all(selector).forEach((node) => node.addEventListener("click", act));
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* 不让存：只管这一页 */ } };

  /* 明暗：先是跟随系统，按一下换成相反的，再按换成相同的 */
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function paint(mode) {
    root.dataset.mode = mode;
    root.dataset.theme = mode === "auto" ? (dark.matches ? "dark" : "light") : mode;
  }
  press(".theme-switch-button", () => {
    const order = dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
    paint(order[(order.indexOf(root.dataset.mode) + 1) % order.length]);
    keep("mode", root.dataset.mode);
  });
  dark.addEventListener("change", () => paint(root.dataset.mode));
  // 纸是白的：暗处的浅灰字印出来看不清
  addEventListener("beforeprint", () => { root.dataset.theme = "light"; });
  addEventListener("afterprint", () => paint(root.dataset.mode));

  /* 搜索框：按钮、Ctrl+K 或 ⌘K 打开，点框外关上；搜索页上有自己的一个 */
  const dialog = one("pst-search-dialog");
  const field = all("form.bd-search input").find((input) => !dialog.contains(input));
  const search = () => (field ? field.focus() : dialog.open ? dialog.close() : dialog.showModal());
  press(".search-button__button", search);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    search();
  });

  /* 两份目录在窄屏上是抽屉，由浏览器开关；宽屏上的按钮收起左边一栏 */
  const wide = matchMedia("(min-width: 960px)");
  const drawers = all("[popover]");
  const close = () => drawers.forEach((drawer) => drawer.hidePopover());
  press(".primary-toggle", (event) => {
    if (!wide.matches) return;
    event.preventDefault();
    root.classList.toggle("contents-hidden");
  });
  press("#pst-page-toc-nav a", close);
  wide.addEventListener("change", close);
  const here = all("#pst-primary-sidebar .current > a").pop();
  const settle = () => {
    const box = one("pst-primary-sidebar");
    if (here) box.scrollTop += here.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  };
  one("pst-primary-sidebar").addEventListener("toggle", settle);

  /* 本页目录：读到哪一节，哪一节就亮着 */
  const id = (hash) => {
    try { return decodeURIComponent(hash.slice(1)); } catch { return ""; } // 网址写坏了，像 #%
  };
  // 接口页上的类没有标题，就看它自己
  const mark = (section) => section?.querySelector(":scope > :is(h1, h2, h3, h4)") ?? section;
  const links = new Map(all("#pst-page-toc-nav a").map((link) => [mark(one(id(link.hash))), link]));
  const reading = new IntersectionObserver((entries) => {
    const seen = entries.filter((entry) => entry.isIntersecting).pop();
    if (!seen) return;
    const now = links.get(seen.target);
    for (const link of links.values()) {
      link.ariaCurrent = link === now ? "true" : null;
      for (const node of [link, link.parentElement]) node.classList.toggle("active", node.contains(now));
    }
  }, { rootMargin: "0px 0px -70% 0px" });
  for (const target of links.keys()) if (target) reading.observe(target);

  /* 复制：提示符与它下面的输出不算 */
  const ICONS = ["M8 8h11v11H8z M16 8V5H5v11h3", "M5 12l5 5 9-10"];
  const icon = (done) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[+done]}"/></svg>`;
  function text(pre) {
    const copy = pre.cloneNode(true);
    all(copy.querySelector(".gp") ? ".gp, .go" : ".linenos", copy).forEach((node) => node.remove());
    return copy.textContent.trimEnd();
  }
  async function write(words) {
    if (navigator.clipboard) return navigator.clipboard.writeText(words);
    const area = Object.assign(document.createElement("textarea"), { value: words });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    return area.remove();
  }
  for (const pre of all("div.highlight pre")) {
    if (pre.closest(".cell_output")) continue;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copybtn" });
    const say = (words, done) => { button.title = button.ariaLabel = words; button.innerHTML = icon(done); };
    button.addEventListener("click", () => write(text(pre)).then(() => {
      say("已复制", true);
      setTimeout(say, 2000, "复制", false);
    }, () => say("没有复制成：浏览器不许", false)));
    say("复制", false);
    pre.after(button);
  }

  /* 选项卡：同一组的一起换，记住选了哪个；框架还管着目录与前后页 */
  const FRAMEWORK = "tab-framework";
  const group = (label) => [`tab-${label.dataset.syncGroup}`, label.dataset.syncId];
  const choose = (name, chosen) => {
    if (name === FRAMEWORK && chosen) root.setAttribute("data-wing", chosen);
    for (const label of all(".sd-tab-label[data-sync-id]")) {
      if (group(label).join() === [name, chosen].join()) label.previousElementSibling.checked = true;
    }
  };
  for (const name of new Set(all(".sd-tab-label[data-sync-id]").map((label) => group(label)[0]))) choose(name, kept(name));
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".sd-tab-set > input")) return;
    const pair = group(target.nextElementSibling);
    choose(...pair);
    keep(...pair);
  });

  press(".wing-switch", ({ currentTarget }) => {
    const wing = root.dataset.wing === "paddle" ? "torch" : "paddle";
    keep(FRAMEWORK, wing);
    if (currentTarget.dataset.twin) location.assign(currentTarget.dataset.twin);
    else choose(FRAMEWORK, wing);
  });

  /* 横着滚的框：键盘走得到；哪一边还有没露出来的，哪一边淡出 */
  const BOXES = ".math-scroll, .highlight pre, .pst-scrollable-table-container, .output pre, .cell_output, .wide";
  /* 先量完所有的框，再改：改一个量一个，每量一次都要重新排版 */
  const measure = (boxes) => boxes.map((box) => [box, box.scrollWidth - box.clientWidth, box.scrollLeft]).forEach(([box, rest, from]) => {
    if (rest > 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    const more = [rest > 1 && from > 1 && "left", rest > 1 && from < rest - 1 && "right"].filter(Boolean);
    if (more.length) box.setAttribute("data-more", more.join(" "));
    else box.removeAttribute("data-more");
  });
  // 一帧里量一次：与浏览器自己的排版合在一起，不另排一遍
  let due = 0;
  const reachable = () => { due ||= requestAnimationFrame(() => { due = 0; measure(all(BOXES)); }); };
  document.addEventListener("scroll", ({ target }) => { if (target.matches?.(BOXES)) measure([target]); }, true);
  const reveal = () => {
    const target = location.hash && one(id(location.hash));
    const fold = target && target.closest("details:not([open])");
    if (fold) { fold.open = true; target.scrollIntoView(); }
  };
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("article details:not([open])");
    opened.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((fold) => { fold.open = false; }));
  addEventListener("hashchange", reveal);
  addEventListener("resize", reachable);
  document.fonts.addEventListener("loadingdone", reachable); // 字体到了，公式可能变宽
  document.addEventListener("toggle", reachable, true);
  document.addEventListener("change", reachable, true);
  requestAnimationFrame(settle);
  reveal();
  reachable();
})();
