/* 会答话的图：滚到眼前才取它的程序，网络大的要读者先点头；取不到（没有网、从文件打开），静止的图还在。 */
(() => {
  "use strict";
  const here = document.currentScript?.src;

  function why(error) {
    if (location.protocol === "file:") return "从文件打开的页面，浏览器不许载入这张图的程序；用 make serve 打开就会动。";
    return `${error instanceof TypeError ? "这张图的程序没有取到。" : error.message}先看静止的一幅；刷新一次再试。`;
  }

  async function start(figure, ask = null) {
    const stage = figure.querySelector(".living-stage");
    stage.querySelector(".living-lost")?.remove();
    if (ask) ask.disabled = true;
    try {
      const { picture } = await import(new URL(`living/${figure.dataset.picture}.js`, here));
      await picture(figure);
      figure.dataset.state = "live";
      if (!ask) return;
      ask.textContent = "网络取来了，只在这一页里算。";
      stage.querySelector("button, [tabindex]").focus(); // 按过的按钮按不动了，键盘不能丢
    } catch (error) {
      figure.dataset.state = "still";
      if (ask) ask.disabled = false;
      stage.append(Object.assign(document.createElement("p"), { className: "living-trouble living-lost", textContent: why(error) }));
    }
  }

  const near = new IntersectionObserver((entries) => entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => {
    near.unobserve(target);
    start(target);
  }), { rootMargin: "300px" });
  document.querySelectorAll("figure.living").forEach((figure) => {
    const ask = figure.querySelector(".living-ask");
    if (ask) ask.addEventListener("click", () => start(figure, ask));
    else near.observe(figure);
  });
})();
