// Follows the log: while the switch is on, the list is fetched again every three seconds.
(function () {
  "use strict";
  const toggle = document.querySelector("[data-tail]");
  const lines = () => document.querySelector("[data-tail-src]");
  if (!toggle || !lines()) return;
  setInterval(() => {
    const list = lines();
    if (!toggle.checked || document.hidden || !list || list.querySelector("details[open]")) return;
    window.htmx.ajax("GET", list.dataset.tailSrc, { target: "#lines", select: "#lines", swap: "outerHTML" });
  }, 3000);
})();
