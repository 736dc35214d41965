"use strict";
(() => {
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const items = all("[data-rule]").map((element) => ({
    element,
    kind: element.dataset.rule,
    severity: element.dataset.severity,
    controls: element.dataset.controls.split("\n"),
    lines: (element.dataset.cases ? [element] : all("[data-cases]", element)).map((line) => ({
      line,
      cases: JSON.parse(line.dataset.cases),
      text: line.textContent.toLowerCase(),
    })),
    text: element.textContent.toLowerCase(),
  }));

  const wanted = () =>
    Object.fromEntries([...new FormData(form)].map(([key, value]) => [key, value.trim()]).filter(([, value]) => value));

  function apply() {
    const want = wanted();
    const words = (want.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const fits = ([stack, status, component]) =>
      (!want.stack || want.stack === stack) &&
      (!want.status || want.status === status) &&
      (!want.component || want.component === component);
    const count = { finding: [0, 0], rule: [0, 0], measure: [0, 0] };
    for (const item of items) {
      const ofRule =
        (!want.severity || want.severity === item.severity) && (!want.control || item.controls.includes(want.control));
      // What is said once for a rule is searched for all of its lines.
      const shared = item.lines.reduce((text, { text: own }) => text.replace(own, ""), item.text);
      let any = false;
      for (const { line, cases, text } of item.lines) {
        const found = ofRule && cases.some(fits) && words.every((word) => text.includes(word) || shared.includes(word));
        line.hidden = !found;
        any ||= found;
        count[item.kind][0] += found;
        count[item.kind][1] += 1;
      }
      item.element.hidden = !any;
    }
    for (const group of all("[data-group]")) {
      group.hidden = Object.keys(want).length > 0 && !group.querySelector("[data-rule]:not([hidden])");
    }
    for (const none of all("[data-none]")) {
      const [some, total] = count[none.dataset.none];
      none.hidden = some > 0 || total === 0;
    }
    const told = Object.entries(count)
      .filter(([kind, [, total]]) => total || kind !== "measure")
      .map(([kind, [some, total]]) => `${some} of ${total} ${kind}s`);
    shown.textContent = `Shown: ${told.join(", ")}.`;
    return want;
  }

  function remember(want) {
    const hash = new URLSearchParams(want).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  /* "#status=fail&stack=prod" is a filter, "#rule-net-open" a place; a place that the filter hides ends the filter. */
  function follow() {
    const hash = decodeURIComponent(location.hash.slice(1).replaceAll("+", "%20"));
    if (hash.includes("=")) {
      const given = new URLSearchParams(location.hash.slice(1));
      for (const field of form.elements) {
        if (field.name) field.value = given.get(field.name) || "";
      }
      apply();
      return;
    }
    const target = hash && document.getElementById(hash);
    if (target && target.closest("[hidden]")) {
      form.reset();
      apply();
      target.scrollIntoView();
    }
  }

  form.addEventListener("input", () => remember(apply()));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => remember(apply())));
  window.addEventListener("hashchange", follow);

  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", open);
    for (const each of all("details")) each.open = open;
  });

  /* Paper has nothing to click on; the resources of every rule are on it only where the reader has opened them. */
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details:not([open], .rules *, .occurrences *)");
    for (const each of closed) each.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
  });

  form.hidden = false;
  apply();
  follow();
})();
