/* 会答话的图：滚到眼前才取它的程序；取不到（没有网、从文件打开），静止的图还在，说一句为什么。 */
(() => {
  "use strict";
  const here = document.currentScript?.src;

  async function start(figure) {
    try {
      const { picture } = await import(new URL(`living/${figure.dataset.picture}.js`, here));
      await picture(figure);
      figure.dataset.state = "live";
    } catch (error) {
      figure.dataset.state = "still";
      const told = location.protocol === "file:"
        ? "从文件打开的页面，浏览器不许载入这张图的程序；用 make serve 打开就会动。"
        : `${error instanceof TypeError ? "这张图的程序没有取到。" : error.message}先看静止的一幅；刷新一次再试。`;
      const note = Object.assign(document.createElement("p"), { className: "living-trouble", textContent: told });
      figure.querySelector(".living-stage").append(note);
    }
  }

  const near = new IntersectionObserver((entries) => entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => {
    near.unobserve(target);
    start(target);
  }), { rootMargin: "300px" });
  document.querySelectorAll("figure.living").forEach((figure) => near.observe(figure));
})();
