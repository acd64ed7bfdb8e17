// Draws the figures of a page. One is drawn as soon as it is near the window, the others one by one with pauses in which
// the browser answers its reader, and all before the page is printed. They follow the screen's colours and the paper's size;
// colours are swapped where they stand, in data and layout.
const dark = matchMedia("(prefers-color-scheme: dark)");
const NIGHT = { "#1B1F24": "#E6EDF3", "#E3E6EA": "#30363D", "#8A9199": "#9AA4AE", "#444": "#C3CCD5" };
const PAPER_PX = 680;
// Two figures stand on a sheet if they are lower than on a screen. Margins are not, which the place of a legend in parts of the
// plot's height must make up for.
const PAPER_HEIGHT = 0.75;
const MARGINS_PX = 90;
const REST_MS = 20;

// What is to be drawn where; a figure's `drawn` says whether it was.
const figures = new Map([...document.querySelectorAll(".plot")].map((plot) => {
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", plot.closest("section").querySelector("h2").textContent);
  return [plot, { ...JSON.parse(plot.nextElementSibling.textContent), drawn: false }];
}));

function swapped(value) {
  if (typeof value === "string") return NIGHT[value] ?? value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(swapped);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, swapped(inner)]));
  }
  return value;
}

function draw(plot, night, onPaper) {
  const figure = figures.get(plot);
  const { data, layout, config } = figure;
  const colours = night ? swapped(layout) : layout;
  const font = { ...layout.font, color: night ? "#C3CCD5" : "#444444" };
  const hover = night ? { bgcolor: "#161B22", font: { color: "#E6EDF3" } } : {};
  const height = PAPER_HEIGHT * layout.height;
  const further = layout.legend.y < 0 ? (layout.height - MARGINS_PX) / (height - MARGINS_PX) : 1;
  const legend = { ...layout.legend, y: layout.legend.y * further };
  const size = onPaper ? { width: PAPER_PX, height, autosize: false, legend } : {};
  plot.parentElement.style.height = `${size.height ?? layout.height}px`;
  const themed = { ...colours, ...size, font, hoverlabel: { ...hover, ...colours.hoverlabel } };
  figure.drawn = true;
  Plotly.react(plot, night ? swapped(data) : data, themed, config);
}

const drawAll = (night, onPaper) => figures.forEach((_, plot) => draw(plot, night, onPaper));

function drawTheRest() {
  const next = [...figures.keys()].find((plot) => !figures.get(plot).drawn);
  if (!next) return;
  setTimeout(drawTheRest, REST_MS);
  draw(next, dark.matches);
}

const nearby = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    if (!figures.get(target).drawn) draw(target, dark.matches);
  }
}, { rootMargin: "200px" });

figures.forEach((_, plot) => nearby.observe(plot));
addEventListener("load", () => setTimeout(drawTheRest, REST_MS));
dark.addEventListener("change", () => drawAll(dark.matches));
addEventListener("beforeprint", () => drawAll(false, true));
addEventListener("afterprint", () => drawAll(dark.matches));
