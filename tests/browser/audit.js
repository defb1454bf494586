// What a machine can tell about how a page serves everybody. Each function returns what is wrong, or the facts.
({
  nameless() {
    const parts = "input:not([type=hidden]), select, textarea, button, a[href], summary";
    const named = e => e.labels?.length || e.ariaLabel || e.title || e.innerText?.trim()
      || e.getAttribute("aria-labelledby") || e.querySelector("[aria-label], title");
    return [...document.querySelectorAll(parts)].filter(e => e.checkVisibility() && !named(e)).map(e => e.outerHTML.slice(0, 160));
  },
  headings() {
    return [...document.querySelectorAll("h1, h2, h3, h4")].filter(e => e.checkVisibility()).map(e => Number(e.tagName[1]));
  },
  repeated() {
    const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
    return ids.filter((id, at) => ids.indexOf(id) !== at);
  },
  sideways() {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const clipped = e => e && (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX) || clipped(e.parentElement));
    const over = [...document.querySelectorAll("body *")].filter(
      e => e.getBoundingClientRect().right > innerWidth + 1 && !clipped(e.parentElement));
    return over.map(e => e.outerHTML.slice(0, 160)).slice(0, 5).concat("the page scrolls sideways");
  },
  focus() {
    const e = document.activeElement, style = getComputedStyle(e);
    const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    return [e === document.body || ring, e.outerHTML.slice(0, 140)];
  },
  // The contrast of each visible text with the colours behind it, by the formula of WCAG 2.
  pale() {
    const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = colour => {
      probe.clearRect(0, 0, 1, 1);
      probe.fillStyle = colour;
      probe.fillRect(0, 0, 1, 1);
      return [...probe.getImageData(0, 0, 1, 1).data].map((value, at) => at < 3 ? value : value / 255);
    };
    const over = (top, under) => top.slice(0, 3).map((value, at) => value * top[3] + under[at] * (1 - top[3])).concat(1);
    const ground = e => {
      const layers = [];
      for (let at = e; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
    };
    const light = colour => {
      const [r, g, b] = colour.map(value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const skipped = "[disabled], .visually-hidden, .wk-skip, svg, option, noscript";
    const found = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
      if (!text || !e.checkVisibility({opacityProperty: true}) || e.closest(skipped)) continue;
      const style = getComputedStyle(e), back = ground(e), front = over(rgba(style.color), back);
      const [a, b] = [light(front), light(back)], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      if (ratio < (large ? 3 : 4.5)) found.add(`${ratio.toFixed(2)} ${e.className || e.tagName}: ${text.slice(0, 40)}`);
    }
    return [...found].slice(0, 8);
  },
})
