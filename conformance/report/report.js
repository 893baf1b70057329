"use strict";
(() => {
  const form = document.querySelector(".filter");
  const entries = [...document.querySelectorAll(".entry")];
  const cells = [...document.querySelectorAll(".cell")];
  const texts = new Map(entries.map((one) => [one.id, one.textContent.toLowerCase()]));
  const filter = () => {
    const data = new FormData(form);
    const verdicts = new Set(data.getAll("verdict"));
    const profile = data.get("profile"), operation = data.get("operation");
    const words = data.get("words").toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one, id) =>
      verdicts.has(one.dataset.verdict) && (!profile || one.dataset.profile === profile) &&
      (!operation || one.dataset.operations.split(" ").includes(operation)) && words.every((word) => texts.get(id).includes(word));
    let shown = 0;
    for (const one of entries) { one.hidden = !fits(one, one.id); shown += one.hidden ? 0 : 1; }
    for (const one of cells) one.classList.toggle("dim", !fits(one, one.hash.slice(1)));
    for (const section of document.querySelectorAll("section.entries")) section.hidden = !section.querySelector(".entry:not([hidden])");
    form.querySelector("output").textContent = shown === entries.length ? `${shown} sentences` : `${shown} of ${entries.length} sentences`;
  };
  const reveal = () => {
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!found) return;
    if (found.hidden) { form.reset(); filter(); }
    if (found.matches("details")) found.open = true;
    found.scrollIntoView();
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll(".loud details")) one.open = true; });
  for (const box of document.querySelectorAll(".copy")) {
    const button = box.querySelector("button"), text = box.querySelector("pre");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text.textContent); } catch {
        getSelection().selectAllChildren(text);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  filter();
  reveal();
})();
