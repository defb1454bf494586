// Runs before the first paint, so that nobody is dazzled: the stored choice, else what the system prefers.
(function () {
  var stored = null;
  try { stored = localStorage.getItem("wk-theme"); } catch (refused) { /* private windows may refuse storage */ }
  var dark = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
})();
