/* 先说你的处境：图、网络、张数各选一样，列出最近的处境里测过的做法；数与话都是页面上那一份列表的。 */
import { element } from "./parts/dom.js";

const KINDS = [["更好", "看得出更好"], ["更差", "看得出更差，别做"], ["相差不到 δ", "试过，差别很小"], ["说不准", "试过，说不准"], ["没有测", "还没有测"]];
const WEIGHT = { pictures: 100, network: 10, images: 1 }; // 图不同最远，其次网络，再其次张数

/** 一支箭头：做法、差、把握、代价、出处 */
function advice(arrow, branch) {
  const page = new URL(`../${branch.page}.html`, location.href);
  const parts = [arrow.size, arrow.strength, arrow.cost].filter(Boolean).join("；");
  const words = element("p", { class: "living-small" }, `${branch.when}；与“${branch.against}”比${parts ? `：${parts}` : ""}。`,
    element("a", { href: page.href }, "讲它的一页"));
  return element("li", { "data-outcome": arrow.outcome }, element("b", {}, `${arrow.mark}　${arrow.do}`), words);
}

/** 一类结果的做法；要紧的摊开，其余折起来 */
function kind([outcome, title], arrows) {
  const some = arrows.filter(({ arrow }) => arrow.outcome === outcome);
  const open = outcome.startsWith("更") || some.length === arrows.length ? { open: "" } : {};
  return some.length ? [element("details", open, element("summary", {}, `${title}（${some.length}）`),
    element("ul", {}, ...some.map(({ arrow, branch }) => advice(arrow, branch))))] : [];
}

export function picture(figure) {
  const atlas = JSON.parse(figure.dataset.atlas);
  const mine = { question: "", pictures: "", network: "", images: "" };
  const groups = Object.fromEntries([...figure.querySelectorAll(".living-choice")].map((group) => [group.dataset.key, [...group.children]]));
  const name = (key, value) => groups[key].find((button) => button.dataset.value === String(value)).textContent;
  const said = figure.querySelector(".living-say");
  const list = element("div", { class: "living-advice" });
  said.after(list);

  /** 张数在第几档 */
  const rank = (images) => groups.images.findIndex((button) => button.dataset.value && images < +button.dataset.value);
  const chosen = (key) => groups[key].findIndex((button) => button.dataset.value === mine[key]);

  /** 一个条件与读者的处境差多远，差在哪几样；没有选的不算 */
  function apart({ pictures, network, images }) {
    const steps = { pictures: +(pictures !== mine.pictures), network: +(network !== mine.network), images: Math.abs(rank(images) - chosen("images")) };
    const told = { pictures: () => `图是${name("pictures", pictures)}`, network: () => `网络是${name("network", network)}`, images: () => `${images.toLocaleString("en")} 张图` };
    const other = Object.keys(WEIGHT).filter((key) => mine[key] && steps[key]);
    return [other.reduce((sum, key) => sum + WEIGHT[key] * steps[key], 0), other.map((key) => told[key]())];
  }

  function draw() {
    const near = atlas.filter(({ question }) => !mine.question || question === mine.question)
      .map((branch) => { const [far, other] = apart(branch.case); return { branch, far, other }; });
    const least = Math.min(...near.map(({ far }) => far));
    const found = near.filter(({ far }) => far === least);
    const arrows = found.flatMap(({ branch }) => branch.arrows.map((arrow) => ({ arrow, branch })));
    list.replaceChildren(...KINDS.flatMap((one) => kind(one, arrows)));
    const differ = [...new Set(found.flatMap(({ other }) => other))].join("、");
    const place = least === 0 ? "你的处境测过。" : `你的处境没有测过。最近的一处：${differ}；搬不搬得过去，不知道。`;
    const listed = (outcome) => [...new Set(arrows.filter(({ arrow }) => arrow.outcome === outcome).map(({ arrow }) => arrow.do))].join("、");
    const told = [["更好", "看得出更好的"], ["更差", "看得出更差的"]].filter(([outcome]) => listed(outcome)).map(([outcome, words]) => `${words}：${listed(outcome)}。`);
    said.textContent = `${place}${told.join("") || `${arrows.length} 种做法，没有一种看得出更好或更差：先不加。`}`;
  }

  for (const [key, buttons] of Object.entries(groups)) {
    const press = (value) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === value)));
    press("");
    buttons.forEach((button) => {
      button.disabled = false;
      button.addEventListener("click", () => { mine[key] = button.dataset.value; press(mine[key]); draw(); });
    });
  }
}
