// The screen on the wall: fetches itself every 15 seconds, and says so when its numbers are not of now.
(function () {
  "use strict";
  document.documentElement.dataset.bsTheme = "dark";
  const EVERY = 15000;
  const OLD = 120000;
  const wall = () => document.querySelector("[data-tv]");
  let answered = Date.now();

  function sayOld() {
    const note = wall().querySelector("[data-tv-old]");
    const minutes = Math.floor((Date.now() - answered) / 60000);
    if (Date.now() - answered < OLD) return;
    note.hidden = false;
    note.textContent = `Old numbers: no answer from Watchkeeper for ${minutes} min`;
    wall().classList.add("ws-stale");
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(`answer ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-tv]");
      if (!fresh) throw new Error("another page");
      wall().replaceWith(fresh);
      answered = Date.now();
      document.dispatchEvent(new CustomEvent("wk:content"));
    } catch (failure) {
      sayOld();
    }
  }

  setInterval(refresh, EVERY);
})();
