/* 猜诊断的题：答案本来折叠在每题下面；有脚本时换成按钮，一按就知道对不对，为什么。 */
(() => {
  "use strict";
  const make = (tag, name, text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text });

  function enhance(item, kinds, changed) {
    const title = item.querySelector(".quiz-title").textContent;
    const fold = item.querySelector("details");
    const [why, from] = ["why", "from"].map((part) => item.querySelector(`.quiz-${part}`).textContent);
    const choices = make("div", "quiz-choices");
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", `${title}的诊断`);
    const said = make("p", "quiz-said");
    said.setAttribute("role", "status");
    const buttons = kinds.map((kind) => Object.assign(make("button", "quiz-choice", kind), { type: "button" }));

    function clear() {
      delete item.dataset.result;
      said.textContent = "";
      buttons.forEach((button) => {
        button.setAttribute("aria-pressed", "false");
        button.removeAttribute("aria-disabled");
        button.classList.remove("quiz-key");
      });
    }
    function choose(chosen) {
      if (item.dataset.result) return;
      const kind = chosen.textContent;
      const answer = item.dataset.answer;
      item.dataset.result = kind === answer ? "right" : "wrong";
      buttons.forEach((button) => {
        button.setAttribute("aria-pressed", String(button === chosen));
        button.setAttribute("aria-disabled", "true");
        button.classList.toggle("quiz-key", button.textContent === answer);
      });
      said.textContent = `${kind === answer ? "对" : `不是${kind}`}，是${answer}。${why}${from}`;
      changed();
    }
    buttons.forEach((button) => button.addEventListener("click", () => choose(button)));
    choices.append(...buttons);
    fold.replaceWith(choices, said);
    clear();
    return clear;
  }

  for (const quiz of document.querySelectorAll(".quiz")) {
    const items = [...quiz.querySelectorAll(".quiz-item")];
    const score = make("p", "quiz-score");
    score.setAttribute("role", "status");
    const again = Object.assign(make("button", "quiz-again", "重新来过"), { type: "button", hidden: true });
    const changed = () => {
      const done = items.filter((item) => item.dataset.result);
      const right = done.filter((item) => item.dataset.result === "right").length;
      score.textContent = `答了 ${done.length} 题，对 ${right} 题，共 ${items.length} 题。`;
      again.hidden = !done.length;
    };
    const resets = items.map((item) => enhance(item, quiz.dataset.kinds.split(" "), changed));
    again.addEventListener("click", () => {
      resets.forEach((reset) => reset());
      changed();
      items[0].querySelector("button").focus();
    });
    quiz.append(score, again);
    changed();
  }
})();
