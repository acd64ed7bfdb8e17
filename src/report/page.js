// Figures follow the screen's colours and the paper's width. Colours are swapped where they stand, in data and layout.
const dark = matchMedia("(prefers-color-scheme: dark)");
const NIGHT = { "#1B1F24": "#E6EDF3", "#E3E6EA": "#30363D", "#8A9199": "#9AA4AE", "#444": "#C3CCD5" };
const PAPER_PX = 680;

const figures = [...document.querySelectorAll(".js-plotly-plot")].map((plot) => ({
  plot, data: plot.data, layout: plot.layout, title: plot.closest("section").querySelector("h2").textContent,
}));

function swapped(value) {
  if (typeof value === "string") return NIGHT[value] ?? value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(swapped);
  if (value && typeof value === "object" && !ArrayBuffer.isView(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, swapped(inner)]));
  }
  return value;
}

function draw(night, width) {
  for (const { plot, data, layout } of figures) {
    const colours = night ? swapped(layout) : layout;
    const font = { ...layout.font, color: night ? "#C3CCD5" : "#444444" };
    const hover = night ? { bgcolor: "#161B22", font: { color: "#E6EDF3" } } : {};
    const size = width ? { width, autosize: false } : {};
    Plotly.react(plot, night ? swapped(data) : data, { ...colours, ...size, font, hoverlabel: { ...hover, ...colours.hoverlabel } });
  }
}

for (const { plot, title } of figures) {
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", title);
}
if (dark.matches) draw(true);
dark.addEventListener("change", () => draw(dark.matches));
addEventListener("beforeprint", () => draw(false, PAPER_PX));
addEventListener("afterprint", () => draw(dark.matches));
