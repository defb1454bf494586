// Time series: <figure class="wk-chart" data-src="…json"> drawn by uPlot.
// JSON: {times: [unix s], series: [{label, values: [number|null], unit?}], marks?: [{at, label, href?}]}
(function () {
  "use strict";

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => [1, 2, 3, 4, 5, 6].map((n) => token(`--wk-series-${n}`));
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3]]; // colour is never the only sign
  const TONES = { ok: "--wk-ok-mark", warning: "--wk-warning-mark", danger: "--wk-danger-mark", info: "--wk-info-mark" };

  function shorten(value) {
    const size = Math.abs(value);
    const [divisor, unit] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
    const scaled = value / divisor;
    const digits = scaled === 0 || Number.isInteger(scaled) ? 0 : Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : Math.abs(scaled) >= 1 ? 2 : 3;
    return scaled.toFixed(digits) + unit;
  }

  function withUnit(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "ms" && Math.abs(value) >= 10000) return `${shorten(value / 1000)} s`;
    return unit ? `${shorten(value)} ${unit}` : shorten(value);
  }

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.plotHolder = figure.querySelector(".wk-chart-plot");
      this.unit = figure.dataset.unit || "";
      this.hidden = new Set();
      this.foot = this.append("div", "wk-chart-foot", figure);
      this.table = this.append("div", "wk-chart-table", figure);
      this.table.hidden = true;
      this.state = this.append("span", "wk-chart-state", figure.querySelector("figcaption"));
      this.tip = document.createElement("div");
      this.tip.className = "wk-tip";
      new ResizeObserver(() => this.resize()).observe(this.plotHolder);
      document.addEventListener("wk:theme", () => this.draw());
      this.load();
      const seconds = Number(figure.dataset.refresh || 0);
      if (seconds) this.timer = setInterval(() => { if (!document.hidden) this.load(); }, seconds * 1000);
    }

    append(tag, name, parent) {
      const element = document.createElement(tag);
      element.className = name;
      parent.append(element);
      return element;
    }

    async load() {
      if (!this.figure.isConnected) { clearInterval(this.timer); return; }
      if (this.loading) return;
      this.loading = true;
      try {
        const answer = await fetch(this.figure.dataset.src, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(`answer ${answer.status}`);
        this.data = await answer.json();
        this.state.textContent = "";
        this.draw();
      } catch (failure) {
        this.state.textContent = this.data ? "not up to date" : "";
        if (!this.data) this.say("The numbers could not be loaded.");
      } finally {
        this.loading = false;
      }
    }

    say(text) {
      this.plot?.destroy();
      this.plot = null;
      const note = document.createElement("p");
      note.className = "wk-chart-empty";
      note.textContent = text;
      this.plotHolder.replaceChildren(note);
    }

    unitOf(index) { return this.data.series[index].unit || this.unit; }

    draw() {
      if (!this.data) return;
      const { times, series } = this.data;
      if (!times.length || !series.some((one) => one.values.some((value) => value !== null))) {
        this.foot.replaceChildren();
        this.say("Nothing was measured in this time.");
        return;
      }
      this.plot?.destroy();
      this.plotHolder.replaceChildren();
      const palette = colours();
      this.colours = series.map((one, index) => (one.tone ? token(TONES[one.tone] || TONES.info) : palette[index % palette.length]));
      this.plot = new uPlot(this.options(), [times, ...this.layers()], this.plotHolder);
      this.plotHolder.append(this.tip);
      this.tip.hidden = true;
      this.drawLegend();
      this.describe();
      if (!this.table.hidden) this.fillTable();
    }

    // Bars stand on each other: a series is drawn as high as itself and all after it, and those are drawn over it.
    layers() {
      const { series } = this.data;
      if (this.figure.dataset.kind !== "bars") return series.map((one) => one.values);
      const shown = (one) => !this.hidden.has(one.label);
      return series.map((_, index) => this.data.times.map((__, at) =>
        series.slice(index).reduce((sum, one) => sum + (shown(one) ? one.values[at] || 0 : 0), 0)));
    }

    options() {
      const kind = this.figure.dataset.kind || "lines";
      const axis = { stroke: token("--wk-muted"), grid: { stroke: token("--wk-line"), width: 1 }, ticks: { show: false }, font: "11px Inter Variable, system-ui", gap: 6 };
      const bars = kind === "bars" ? uPlot.paths.bars({ size: [0.8, 60] }) : undefined;
      const lines = this.data.series.map((one, index) => ({
        label: one.label, stroke: this.colours[index], width: kind === "bars" ? 0 : 1.75, show: !this.hidden.has(one.label), paths: bars, spanGaps: false,
        fill: kind === "bars" ? this.colours[index] : kind === "bands" || this.data.series.length === 1 ? this.faded(this.colours[index]) : undefined,
        dash: kind === "bars" ? undefined : DASHES[index % DASHES.length], points: { show: this.data.times.length < 3 },
      }));
      return {
        width: this.plotHolder.clientWidth, height: Number(this.figure.dataset.height || 220),
        cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 }, y: false }, legend: { show: false }, padding: [8, 8, 0, 0],
        scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
        axes: [{ ...axis, space: 64, size: 28, values: (_, ticks, __, ___, step) => ticks.map((tick) => this.tickText(tick, step)) }, { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => shorten(tick)) }],
        series: [{}, ...lines],
        hooks: { draw: [(plot) => this.drawMarks(plot)], setCursor: [(plot) => this.showTip(plot)], setSelect: [(plot) => this.open(plot)], ready: [(plot) => this.makeClickable(plot)] },
      };
    }

    tickText(seconds, step) {
      const at = new Date(seconds * 1000);
      const midnight = at.getHours() === 0 && at.getMinutes() === 0;
      if (step >= 86400 || midnight) return at.toLocaleDateString(undefined, { day: "numeric", month: "short" });
      return at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: step < 60 ? "2-digit" : undefined });
    }

    faded(colour) { return `${colour}1f`; }

    resize() {
      const width = this.plotHolder.clientWidth;
      if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: this.plot.height });
    }

    drawMarks(plot) {
      const { ctx, bbox } = plot;
      for (const mark of this.data.marks || []) {
        const x = plot.valToPos(mark.at, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = token("--wk-accent");
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([4, 3]);
        ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
        ctx.beginPath(); ctx.moveTo(x - 5, bbox.top); ctx.lineTo(x + 5, bbox.top); ctx.lineTo(x, bbox.top + 8); ctx.fill();
        ctx.restore();
      }
    }

    row(cells) {
      const row = document.createElement("tr");
      cells.forEach(([text, name]) => { const cell = row.insertCell(); cell.textContent = text; if (name) cell.className = name; });
      return row;
    }

    showTip(plot) {
      const at = plot.cursor.idx;
      if (at === null || at === undefined || plot.cursor.left < 0) { this.tip.hidden = true; return; }
      const seconds = this.data.times[at];
      const table = document.createElement("table");
      const head = document.createElement("div");
      head.textContent = new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
      this.data.series.forEach((one, index) => {
        if (this.hidden.has(one.label)) return;
        const row = this.row([["", ""], [one.label, ""], [withUnit(one.values[at], this.unitOf(index)), "wk-number"]]);
        row.cells[0].append(this.swatch(index));
        table.append(row);
      });
      const step = this.data.times.length > 1 ? this.data.times[1] - this.data.times[0] : 60;
      const near = (this.data.marks || []).filter((mark) => Math.abs(mark.at - seconds) <= step);
      near.forEach((mark) => table.append(this.row([["◆", ""], [mark.label, ""]])));
      this.tip.replaceChildren(head, table);
      this.tip.hidden = false;
      const left = plot.over.offsetLeft + plot.cursor.left;
      const room = this.plotHolder.clientWidth - this.tip.offsetWidth;
      this.tip.style.left = `${Math.max(0, left + 14 > room ? Math.min(left - 14 - this.tip.offsetWidth, room) : left + 14)}px`;
    }

    swatch(index) {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("class", "wk-swatch");
      svg.setAttribute("viewBox", "0 0 14 8");
      svg.setAttribute("aria-hidden", "true");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      const dash = this.figure.dataset.kind === "bars" ? [] : DASHES[index % DASHES.length];
      Object.entries({ x1: 0, x2: 14, y1: 4, y2: 4, stroke: this.colours[index], "stroke-width": 3, "stroke-dasharray": dash.join(" ") })
        .forEach(([name, value]) => line.setAttribute(name, value));
      svg.append(line);
      return svg;
    }

    drawLegend() {
      const buttons = this.data.series.map((one, index) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "wk-legend";
        button.setAttribute("aria-pressed", String(!this.hidden.has(one.label)));
        button.append(this.swatch(index), one.label);
        button.addEventListener("click", () => { this.hidden.has(one.label) ? this.hidden.delete(one.label) : this.hidden.add(one.label); this.draw(); });
        return button;
      });
      const marks = (this.data.marks || []).filter((mark) => mark.href).slice(-3).map((mark) => {
        const link = document.createElement("a");
        link.href = mark.href;
        link.className = "wk-legend";
        link.textContent = `▼ ${mark.label}`;
        return link;
      });
      const asTable = document.createElement("button");
      asTable.type = "button";
      asTable.className = "wk-chart-as-table";
      asTable.textContent = this.table.hidden ? "As a table" : "Hide the table";
      asTable.setAttribute("aria-expanded", String(!this.table.hidden));
      asTable.addEventListener("click", () => { this.table.hidden = !this.table.hidden; if (!this.table.hidden) this.fillTable(); this.drawLegend(); });
      this.foot.replaceChildren(...(buttons.length > 1 ? buttons : []), ...marks, asTable);
    }

    fillTable() {
      const table = document.createElement("table");
      table.className = "wk-table";
      const head = table.createTHead().insertRow();
      ["Time", ...this.data.series.map((one) => one.label)].forEach((label, index) => {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.textContent = label;
        if (index) cell.className = "wk-number";
        head.append(cell);
      });
      const body = table.createTBody();
      for (let at = this.data.times.length - 1; at >= 0; at--)
        body.append(this.row([[new Date(this.data.times[at] * 1000).toLocaleString(), ""],
          ...this.data.series.map((one, index) => [withUnit(one.values[at], this.unitOf(index)), "wk-number"])]));
      this.table.replaceChildren(table);
    }

    describe() {
      const parts = this.data.series.map((one, index) => {
        const known = one.values.filter((value) => value !== null);
        return known.length ? `${one.label}: latest ${withUnit(known[known.length - 1], this.unitOf(index))}, highest ${withUnit(Math.max(...known), this.unitOf(index))}` : `${one.label}: nothing`;
      });
      const title = this.figure.querySelector(".wk-chart-title")?.textContent || "Chart";
      this.plotHolder.setAttribute("aria-label", `${title}. ${parts.join(". ")}.`);
    }

    makeClickable(plot) {
      if (!this.figure.dataset.bucketHref) return;
      this.figure.classList.add("wk-chart-click");
      plot.over.addEventListener("click", () => {
        const at = plot.cursor.idx;
        if (at === null || at === undefined || plot.select.width > 2) return;
        const step = this.data.times.length > 1 ? this.data.times[1] - this.data.times[0] : 60;
        this.go(this.data.times[at], this.data.times[at] + step);
      });
    }

    open(plot) {
      if (plot.select.width < 8 || !this.figure.dataset.bucketHref) return;
      this.go(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
    }

    go(from, to) {
      const at = (seconds) => encodeURIComponent(new Date(seconds * 1000).toISOString());
      location.href = this.figure.dataset.bucketHref.replaceAll("{from}", at(from)).replaceAll("{to}", at(to));
    }
  }

  const start = (root) => root.querySelectorAll("figure.wk-chart[data-src]").forEach((figure) => {
    if (figure.dataset.drawn) return;
    figure.dataset.drawn = "yes";
    new Chart(figure);
  });
  document.addEventListener("wk:content", (event) => start(event.detail || document));
})();
