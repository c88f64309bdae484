/* 全书搜索：不分词，直接在全文里找。索引在读者第一次点开搜索时才载入。 */
const bookSearch = (() => {
  "use strict";
  const LIMIT = 100; // 查询最多看多少个字
  const WIDE = "\\u3400-\\u9fff\\uf900-\\ufaff";
  const LATIN = `(?:(?![${WIDE}])[\\p{L}\\p{N}_])+`;
  const TOKEN = new RegExp(`[${WIDE}]+|${LATIN}(?:[.\\-+×/']${LATIN})*`, "gu");
  const CHINESE = new RegExp(`^[${WIDE}]`);
  const FILLER = /为什么|怎么办|怎么回事|怎么样|怎样|怎么|如何|什么|哪些|哪里|哪种|是否|可以|应该|的|了|吗|呢|在|是|和|与|或/;
  const IDLE = new RegExp(`^(?:${FILLER.source}|加上|加|装上|装|用|之后|以后|后|请问|为啥)+$`); // 单独成词时不用找
  let index = null;
  let waiting = [];

  const root = () => document.documentElement.dataset.content_root || "./";
  const lower = (text) => text.toLowerCase();

  /* ---------- 索引 ---------- */
  function receive(data) {
    const pages = data.pages.map(([url, title], order) => ({ url, title, order, sections: [] }));
    for (const [page, anchor, title, level, body, names] of data.sections) {
      pages[page].sections.push({
        anchor, title, level, body,
        heading: lower(title.normalize("NFKC")).replace(/^[\d.]+\s+/, ""), text: lower(body), names: lower(names).split(" ").filter(Boolean),
      });
    }
    const all = pages.flatMap((p) => p.sections.map((s) => s.heading + "\n" + s.text + "\n" + s.names.join(" "))).join("\n");
    const words = data.words.map((group) => group.map(lower));
    const alias = [...data.alias.map((group) => group.map(lower)), ...words].filter((group) => group.length > 1);
    const said = words.flat().sort((a, b) => b.length - a.length); // 读者的说法，长的先认
    index = { pages, all, alias, said };
    waiting.splice(0).forEach((go) => go());
  }

  function ready() {
    if (index) return Promise.resolve();
    return new Promise((resolve, reject) => {
      waiting.push(resolve);
      if (waiting.length > 1) return;
      const script = document.createElement("script");
      script.src = root() + "search-index.js";
      script.onerror = () => { waiting = []; reject(new Error("索引没有载入")); };
      document.head.append(script);
    });
  }

  /* ---------- 查询 → 词 ---------- */
  function parse(query) {
    const cleaned = lower(query.normalize("NFKC")).trim().slice(0, LIMIT).replace(/\s+/g, " ");
    const whole = group(cleaned);
    if (whole) return { phrase: cleaned, terms: [whole], missing: [] };
    const { terms, rest } = taken(cleaned);
    const missing = [];
    const tokens = rest.match(TOKEN) || [];
    for (const token of tokens) {
      if (IDLE.test(token) && terms.length + tokens.length > 1) continue;
      const found = resolve(token);
      if (found) terms.push(...found);
      else missing.push(token);
    }
    return { phrase: cleaned, terms, missing };
  }

  /* 句子里有读者的说法（“train 高 test 低”“OOM”）：整个认出来，换成书里的词，其余的再拆 */
  function taken(query) {
    const terms = [];
    let rest = query;
    const known = (query.match(TOKEN) || []).filter(has); // “错误率”书里有，就不拆成“错误”与“率”
    for (const name of index.said) {
      const at = rest.indexOf(name);
      if (at < 0 || !boundary(rest, at, name)) continue;
      if (known.some((token) => token !== name && token.includes(name))) continue;
      const words = group(name);
      if (!words) continue;
      terms.push(words);
      rest = rest.slice(0, at) + " " + rest.slice(at + name.length);
    }
    return { terms, rest };
  }

  const has = (text) => index.all.includes(text);

  /* 整个查询就是术语表里的一个叫法：几种叫法一起找 */
  function group(text) {
    const mine = index.alias.filter((names) => names.includes(text)).flat();
    const known = [...new Set([text, ...mine])].filter(has);
    return mine.length && known.length ? known : null;
  }

  /* 一个词：原样；换成别名；英文拆开连写；中文按全书里出现过的最长片段切开 */
  function resolve(token) {
    const own = group(token) || (has(token) ? [token] : []);
    const swapped = renamed(token).filter(has);
    const alternatives = [...new Set([...own, ...swapped])];
    if (alternatives.length) return [alternatives];
    return CHINESE.test(token) ? segments(token) : compound(token);
  }

  function renamed(token) {
    const found = [];
    for (const names of index.alias) {
      const inside = names.find((name) => name.length > 1 && name !== token && token.includes(name));
      if (inside) found.push(...names.filter((n) => n !== inside).map((n) => token.replace(inside, n)));
    }
    return found;
  }

  function compound(token) {
    const parts = token.split(/[.\-+×/'_]+/).filter(Boolean);
    return parts.length > 1 && parts.every(has) ? parts.map((part) => [part]) : null;
  }

  function segments(token) {
    const found = [];
    for (const piece of token.split(FILLER).filter(Boolean)) {
      if (has(piece)) { found.push(group(piece) || [piece]); continue; }
      let start = 0;
      while (start < piece.length) {
        let stop = start + 2;
        if (stop > piece.length || !has(piece.slice(start, stop))) return null;
        while (stop < piece.length && has(piece.slice(start, stop + 1))) stop += 1;
        if (piece.length - stop === 1 && stop - start > 2) stop -= 1; // 不留单字
        const word = piece.slice(start, stop);
        found.push(group(word) || [word]);
        start = stop;
      }
    }
    return found.length ? found : null;
  }

  /* ---------- 打分：标题 > 定义 > 正文 ---------- */
  const LETTER = /[\p{L}\p{N}_]/u;
  function boundary(text, at, word) {
    if (CHINESE.test(word)) return true;
    const before = text[at - 1];
    const after = text[at + word.length];
    return !(before && LETTER.test(before) && !CHINESE.test(before)) &&
           !(after && LETTER.test(after) && !CHINESE.test(after));
  }

  function count(text, word) {
    let full = 0;
    let part = 0;
    for (let at = text.indexOf(word); at >= 0 && full < 20; at = text.indexOf(word, at + word.length)) {
      if (boundary(text, at, word)) full += 1;
      else part += 1;
    }
    return [full, lone(word) ? 0 : part];
  }

  /* 一个字母（r、γ）只认单独写着的：reshape 里的 r 不是缩减倍数 */
  const lone = (word) => word.length < 2 && !CHINESE.test(word);

  function inHeading(section, word) {
    const at = section.heading.indexOf(word);
    if (at < 0) return 0;
    const first = section.level === 1;
    const exact = section.heading.split(" / ").includes(word);
    const score = (exact ? 80 : at === 0 ? 70 : 60) + (first ? 25 : 0);
    return boundary(section.heading, at, word) ? score : lone(word) ? 0 : score / 2;
  }

  function worth(section, word) {
    const heading = inHeading(section, word);
    const within = !lone(word) && section.names.some((name) => name.includes(word));
    const named = section.names.includes(word) ? 65 : within ? 25 : 0;
    const [full, part] = count(section.text, word);
    const body = full ? 12 + Math.min(10, full * 2) : part ? 5 + Math.min(4, part) : 0;
    return Math.max(heading, named) + body;
  }

  const PRACTICE = 0.75; // 同样相关时先讲解、后动手：一章的两本笔记本不抢在正文前面

  const best = (section, words) =>
    Math.max(...words.map((word, i) => worth(section, word) * (i ? 0.85 : 1)));

  function scored(page, { terms, phrase }, least) {
    const rows = page.sections.map((section) => {
      const each = terms.map((words) => best(section, words));
      const all = each.every(Boolean);
      let score = each.reduce((sum, value) => sum + value, 0) + (all && each.length > 1 ? 30 : 0);
      if (all && section.heading.includes(phrase)) score += 60;
      else if (all && terms.length > 1 && section.text.includes(phrase)) score += 20;
      return { section, each, score, all };
    });
    const covered = terms.filter((_, i) => rows.some((row) => row.each[i])).length;
    if (covered < least) return null;
    const hits = rows.filter((row) => row.score > 0).sort((a, b) => b.all - a.all || b.score - a.score);
    const top = hits[0];
    const title = terms.some((words) => words.some((w) => page.sections[0].heading.includes(w)));
    const score = top.score + (title ? 6 : 0) + (top.all ? 20 : 0);
    return { page, hits: hits.slice(0, 3), score: page.url.startsWith("notebooks/") ? PRACTICE * score : score };
  }

  function search(query) {
    const request = parse(query);
    if (!request.terms.length || request.missing.length) return { ...request, pages: [] };
    let least = request.terms.length; // 先要每个词都有；一页也没有，就少要一个
    let pages = [];
    for (; least && !pages.length; least -= pages.length ? 0 : 1) {
      pages = index.pages.map((page) => scored(page, request, least)).filter(Boolean);
    }
    pages.sort((a, b) => b.score - a.score || a.page.order - b.page.order);
    return { ...request, pages, part: pages.length > 0 && least < request.terms.length };
  }

  /* ---------- 摘录与高亮 ---------- */
  function marked(text, words) {
    const out = document.createDocumentFragment();
    const low = lower(text);
    let at = 0;
    while (at < text.length) {
      let hit = null;
      for (const word of words) {
        const place = low.indexOf(word, at);
        if (place >= 0 && (!hit || place < hit[0] || (place === hit[0] && word.length > hit[1]))) hit = [place, word.length];
      }
      if (!hit) break;
      out.append(text.slice(at, hit[0]));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(hit[0], hit[0] + hit[1]);
      out.append(mark);
      at = hit[0] + hit[1];
    }
    out.append(text.slice(at));
    return out;
  }

  function excerpt(section, words, width) {
    const places = words.map((word) => section.text.indexOf(word)).filter((at) => at >= 0);
    const at = places.length ? Math.min(...places) : 0;
    const start = Math.max(0, at - 24);
    const text = section.body.slice(start, start + width);
    const line = document.createElement("p");
    line.className = "hit-text";
    line.append(start ? "…" : "", marked(text, words), start + width < section.body.length ? "…" : "");
    return line;
  }

  const address = (page, section, first) =>
    root() + page.url + (section && section !== first ? "#" + encodeURIComponent(section.anchor) : "");

  const loaded = () => index !== null;

  return { ready, loaded, receive, search, marked, excerpt, address, LIMIT };
})();

/* ---------- 界面：搜索框里边打边出，搜索页上全部列出 ---------- */
(() => {
  "use strict";
  const EXAMPLES = ["掉点", "过拟合", "显存", "安装", "reduction_ratio", "ViT 小数据"];
  const make = (tag, className, ...children) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
  };

  function message(result, query) {
    if (!query.trim()) return "打几个字试试，或者点一个：";
    if (!result) return "正在载入索引…";
    if (!result.terms.length && !result.missing.length) return "没有可以搜的字：请打汉字、字母或数字。";
    const cut = query.trim().length > bookSearch.LIMIT ? `（只看了前 ${bookSearch.LIMIT} 个字）` : "";
    if (result.part) return `没有一页同时含有这几个词${cut}；下面 ${result.pages.length} 页有其中几个。`;
    if (result.pages.length) return `找到 ${result.pages.length} 页${cut}`;
    if (result.missing.length) return `全书没有「${result.missing[0].slice(0, 20)}」${cut}。换个说法，或去掉它再试。`;
    return `没有找到${cut}。换个说法再试。`;
  }

  function block({ page, hits }, words, width, most) {
    const first = page.sections[0];
    const title = make("a", "hit-page", bookSearch.marked(page.title, words));
    title.href = bookSearch.address(page);
    const item = make("li", "hit", title);
    for (const { section } of hits.slice(0, most)) {
      const part = make("div", "hit-section");
      if (section !== first) {
        const link = make("a", "hit-heading", bookSearch.marked(section.title, words));
        link.href = bookSearch.address(page, section, first);
        part.append(link);
      }
      if (section.body) part.append(bookSearch.excerpt(section, words, width));
      if (part.childNodes.length) item.append(part);
    }
    return item;
  }

  /* 输入框下的例子：点一下，就像打了那几个字 */
  function examples(input) {
    return EXAMPLES.map((words) => {
      const button = make("button", "", words);
      button.type = "button";
      button.addEventListener("click", () => {
        input.value = words;
        input.focus();
        input.dispatchEvent(new Event("input"));
      });
      return make("li", "hit-example", button);
    });
  }

  function show(place, status, input, options) {
    const query = input.value;
    const failed = () => { status.textContent = "索引没有载入：请检查网络，或从目录与术语表里找。"; };
    if (!query.trim() || !bookSearch.loaded()) status.textContent = message(null, query);
    place.dataset.query = query;
    if (!query.trim()) { // 一个字还没有打：索引先不载
      place.replaceChildren(...examples(input));
      return Promise.resolve(null);
    }
    return bookSearch.ready().then(() => {
      if (place.dataset.query !== query) return null; // 等索引的时候，读者又改了
      const result = bookSearch.search(query);
      status.textContent = message(result, query);
      const words = result.terms.flat().sort((a, b) => b.length - a.length);
      const pages = result.pages.slice(0, options.pages);
      place.replaceChildren(...pages.map((page) => block(page, words, options.width, options.sections)));
      return result;
    }, failed);
  }

  /* 搜索框（对话框）：上下键走，回车打开 */
  function live(form, dialog) {
    const input = form.querySelector("input[name=q]");
    const status = make("p", "hit-status");
    status.setAttribute("role", "status");
    const list = make("ul", "hit-list");
    const more = make("a", "hit-more");
    more.href = form.action;
    more.hidden = true;
    const panel = make("div", "hit-panel", status, list, more);
    form.after(panel);
    let timer = 0;
    const update = () => show(list, status, input, { pages: 8, sections: 1, width: 90 }).then((result) => {
      more.hidden = !result || !result.pages.length;
      more.textContent = result ? `在搜索页看全部 ${result.pages.length} 页` : "";
      more.href = form.action + "?q=" + encodeURIComponent(input.value);
    });
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 60); });
    input.addEventListener("focus", () => { bookSearch.ready().catch(() => {}); update(); }); // 读者还在打字时就去取索引
    dialog.addEventListener("keydown", (event) => walk(event, input, panel));
    form.addEventListener("submit", (event) => { if (!input.value.trim()) event.preventDefault(); });
  }

  function walk(event, input, panel) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [input, ...panel.querySelectorAll("a[href]:not([hidden]), button")];
    const here = stops.indexOf(document.activeElement);
    const step = event.key === "ArrowDown" ? 1 : -1;
    event.preventDefault();
    stops[(here + step + stops.length) % stops.length].focus();
  }

  function page(place) {
    const form = place.parentElement.querySelector("form.bd-search");
    const input = form.querySelector("input[name=q]");
    const status = make("p", "hit-status");
    status.setAttribute("role", "status");
    const list = make("ol", "hit-list");
    place.replaceChildren(status, list);
    const update = () => show(list, status, input, { pages: 50, sections: 3, width: 140 });
    let timer = 0;
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 60); });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      history.replaceState(null, "", "?q=" + encodeURIComponent(input.value));
      update();
    });
    input.value = new URLSearchParams(location.search).get("q") || "";
    input.focus();
    update();
  }

  const place = document.querySelector("#search-results[data-page]");
  if (place) page(place);
  const dialog = document.getElementById("pst-search-dialog");
  const form = dialog && dialog.querySelector("form.bd-search");
  if (form) live(form, dialog);
})();
