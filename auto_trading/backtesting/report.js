"use strict";
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const light = {
    text: "#17202a", muted: "#5b6775", grid: "#e3e8ec", paper: "#ffffff", line: "#1f5fa8",
    candle: "#5b6775", gain: "#0b6b4f", loss: "#a8321c", loss_faint: "rgba(168,50,28,0.20)",
  };
  const dark = {
    text: "#e6ebf0", muted: "#9aa7b4", grid: "#2a343e", paper: "#12171d", line: "#79b4f2",
    candle: "#9aa7b4", gain: "#5fd0a8", loss: "#ff9c85", loss_faint: "rgba(255,156,133,0.25)",
  };
  const config = {
    displaylogo: false, displayModeBar: false, responsive: true, scrollZoom: false,
    showSendToCloud: false, plotlyServerURL: "",
  };
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");

  function coloured(value, palette) {
    if (typeof value === "string") {
      return value.charAt(0) === "$" ? palette[value.slice(1)] : value;
    }
    if (Array.isArray(value)) { return value.map((item) => coloured(item, palette)); }
    if (value === null || typeof value !== "object") { return value; }
    const made = {};
    for (const key of Object.keys(value)) { made[key] = coloured(value[key], palette); }
    return made;
  }

  function draw(palette) {
    for (const name of Object.keys(charts)) {
      const figure = coloured(charts[name], palette);
      Plotly.react(document.getElementById(name), figure.data, figure.layout, config);
    }
  }

  const current = () => draw(scheme.matches ? dark : light);
  current();
  scheme.addEventListener("change", current);
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
    draw(light);
  });
  window.addEventListener("afterprint", current);
})();
