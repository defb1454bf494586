// The console's own behaviour. Every page works without it; this makes it live and quick.
(function () {
  "use strict";

  const each = (selector, act, root) => (root || document).querySelectorAll(selector).forEach(act);
  const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content || "";

  // --- times: the viewer's zone, fresh relative texts; UTC stays on hover ---
  const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const precise = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

  function relative(seconds) {
    const away = Math.abs(seconds);
    if (away < 1) return "just now";
    const [step, unit] = STEPS.find(([size]) => away >= size);
    const text = `${Math.floor(away / step)} ${unit}`;
    return seconds >= 0 ? `${text} ago` : `in ${text}`;
  }

  function showTime(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const seconds = (Date.now() - at.getTime()) / 1000;
    if (element.dataset.when === "clock") element.textContent = clock.format(at);
    else if (element.dataset.when === "precise") element.textContent = precise.format(at);
    else if (element.dataset.when === "relative")
      element.textContent = Math.abs(seconds) > 30 * 86400 ? day.format(at) : relative(seconds);
    if (!element.dataset.utc) {
      element.dataset.utc = element.title || at.toISOString();
      element.title = `${clock.format(at)} (here)\n${element.dataset.utc}`;
    }
  }

  const showTimes = (root) => each("time[data-when]", showTime, root);

  // --- theme ---
  function toggleTheme() {
    const theme = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = theme;
    try { localStorage.setItem("wk-theme", theme); } catch (refused) { /* it then lasts for this page */ }
    document.dispatchEvent(new CustomEvent("wk:theme"));
  }

  // --- messages ---
  function toast(text) {
    const note = document.createElement("div");
    note.className = "wk-toast";
    note.textContent = text;
    document.querySelector(".wk-toasts")?.append(note);
    setTimeout(() => note.remove(), 8000);
  }

  function htmxRefused(event) {
    let detail = "The server could not be reached.";
    try { detail = JSON.parse(event.detail.xhr.responseText).detail; } catch (plain) { /* keep the general text */ }
    toast(detail);
  }

  // --- live lists: <ol data-sse="/api/…/stream" data-sse-max="200" data-sse-state="#id"> ---
  function follow(list) {
    const state = list.dataset.sseState ? document.querySelector(list.dataset.sseState) : null;
    const say = (name, text) => { if (state) { state.dataset.state = name; state.textContent = text; } };
    const most = Number(list.dataset.sseMax || 200);
    let last = list.dataset.sseLast || "";
    let source = null;

    function connect() {
      let address = list.dataset.sse;
      if (last) address += `${address.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(last)}`;
      source = new EventSource(address);
      source.onopen = () => say("live", "live");
      source.onmessage = show;
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) say("off", "not live: reload the page");
        else say("reconnecting", "reconnecting…");
      };
    }

    function show(event) {
      last = event.lastEventId || last;
      const holder = document.createElement("template");
      holder.innerHTML = event.data; // HTML that our own templates escaped
      const items = [...holder.content.children];
      items.forEach((item) => item.classList.add("wk-fresh"));
      list.prepend(...items);
      items.forEach((item) => showTimes(item));
      while (list.children.length > most) list.lastElementChild.remove();
      if (list.dataset.sseEmpty) document.querySelector(list.dataset.sseEmpty)?.setAttribute("hidden", "");
    }

    // A browser keeps six connections to a server: tabs that nobody looks at must not hold them.
    document.addEventListener("visibilitychange", () => {
      source?.close();
      source = null;
      if (!document.hidden && list.isConnected) connect();
    });
    addEventListener("pagehide", () => source?.close());
    connect();
  }

  // --- tables: a button in each data-sort header ---
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function sortKey(row, index) {
    const cell = row.cells[index];
    return cell ? cell.dataset.value ?? cell.textContent.trim() : "";
  }

  function sortBy(header) {
    const table = header.closest("table");
    const first = header.dataset.sort === "descending" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    each("th[aria-sort]", (one) => one.removeAttribute("aria-sort"), table);
    header.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    for (const body of table.tBodies)
      [...body.rows]
        .sort((a, b) => sign * collator.compare(sortKey(a, header.cellIndex), sortKey(b, header.cellIndex)))
        .forEach((row) => body.append(row));
  }

  function makeSortable(header) {
    if (header.querySelector(".wk-sort")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "wk-sort";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(header));
  }

  // --- copy buttons beside commands and secrets ---
  function makeCopyable(block) {
    if (!navigator.clipboard || block.querySelector(".wk-copy")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "wk-copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }

  // --- keyboard ---
  const help = () => document.getElementById("wk-help");
  let waitingForG = 0;

  function typing(event) {
    const at = event.target;
    return event.ctrlKey || event.metaKey || event.altKey || at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
  }

  function onKey(event) {
    if (typing(event) || help()?.open) return;
    if (waitingForG && Date.now() - waitingForG < 1500) {
      waitingForG = 0;
      const link = [...document.querySelectorAll(".wk-nav a[data-key]")].find((one) => one.dataset.key === event.key);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "g") waitingForG = Date.now();
    else if (event.key === "?") help()?.showModal();
    else if (event.key === "/") {
      const search = document.querySelector("[data-search], input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  }

  // --- start, also for what htmx brings in later ---
  function prepare(root) {
    showTimes(root);
    each("th[data-sort]", makeSortable, root);
    each(".wk-command", makeCopyable, root);
    each("[data-sse]", follow, root);
    each("form[data-autosubmit]", (form) => form.addEventListener("change", () => form.requestSubmit()), root);
    each("[data-back]", (link) => link.addEventListener("click", (event) => { event.preventDefault(); history.back(); }), root);
    document.dispatchEvent(new CustomEvent("wk:content", { detail: root }));
  }

  function start() {
    each("[data-theme-toggle]", (button) => { button.hidden = false; button.addEventListener("click", toggleTheme); });
    each("[data-help]", (button) => { button.hidden = false; button.addEventListener("click", () => help()?.showModal()); });
    document.addEventListener("keydown", onKey);
    document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRF-Token"] = csrf(); });
    document.addEventListener("htmx:responseError", htmxRefused);
    document.addEventListener("htmx:sendError", htmxRefused);
    document.addEventListener("htmx:load", (event) => { if (event.target !== document.body) prepare(event.target); });
    setInterval(() => { if (!document.hidden) each('time[data-when="relative"]', showTime); }, 5000);
    prepare(document);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
