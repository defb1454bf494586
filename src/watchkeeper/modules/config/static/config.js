// The rollout as a slider beside its number; without this the number alone does it.
(function () {
  "use strict";

  function pair(slider) {
    const number = document.getElementById(slider.dataset.slider);
    if (!number) return;
    const choice = document.querySelector("[data-serve]");
    slider.hidden = false;
    slider.addEventListener("input", () => {
      number.value = slider.value;
      if (choice) choice.value = "percent:";
      weigh();
    });
    number.addEventListener("input", () => {
      slider.value = number.value || "0";
      if (choice && number.value) choice.value = "percent:";
      weigh();
    });
  }

  // A percentage of nothing is nothing: the first variant gets all of it until somebody says otherwise.
  function weigh() {
    const weights = [...document.querySelectorAll('input[name="weight"]')];
    if (weights.length && weights.every((one) => !Number(one.value))) weights[0].value = "1";
  }

  document.querySelectorAll("[data-slider]").forEach(pair);
})();
