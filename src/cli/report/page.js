/* Draws the report from the JSON that stands in the page. Names and texts come from files of whoever made them: they
 * become text nodes and never markup. */
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const hasCharts = typeof Chart === "function";
const drawings = []; /* functions that draw a chart each, in the present colours */
let charts = [];

/* What went wrong, told to whoever drives the page (docs/report.md). */
const root = document.documentElement;
root.dataset.errors = "0";
addEventListener("error", () => { root.dataset.errors = String(Number(root.dataset.errors) + 1); });
addEventListener("securitypolicyviolation", () => { root.dataset.errors = String(Number(root.dataset.errors) + 1); });

/* ---- Elements and numbers --------------------------------------------------------------------------------------- */

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function significant(value, digits = 4) {
  if (value === null || value === undefined) return "\u2013";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(digits - 1).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

const whole = (value) => value === null || value === undefined ? "\u2013" : value.toLocaleString("en");
const percent = (share, digits = 2) => share === null || share === undefined ? "\u2013" : `${(100 * share).toFixed(digits)} %`;
const decibel = (value) => value === null ? "\u2013" : value.toFixed(2);
const kilobytes = (bytes) => bytes === undefined ? "\u2013" : `${(bytes / 1000).toFixed(1)} kB`;
const widths = (bits) => bits === "fp32" ? "FP32" : bits.toUpperCase();

/* Rows of texts under a head; the first column names the row. */
function table(head, rows, caption) {
  const made = element("table", {}, caption ? element("caption", {}, caption) : null,
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text, i) =>
      i === 0 ? element("th", { scope: "row" }, text) : element("td", {}, text))))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || head[0] }, made);
}

/* ---- Figures ---------------------------------------------------------------------------------------------------- */

/* A figure with a title, what it shows, and room for more. */
function figure(id, title, about) {
  const made = element("figure", { id, "aria-labelledby": `${id}-title` },
    element("figcaption", {}, element("h2", { id: `${id}-title` }, title), element("p", {}, about)));
  document.getElementById("figures").append(made);
  document.getElementById("contents").firstChild.append(
    element("li", {}, element("a", { href: `#${id}` }, title)));
  return made;
}

/* The numbers behind charts: folded away, or in their place where this page has no charts. */
function numbers(into, head, rows, caption) {
  const made = table(head, rows, caption);
  into.append(hasCharts ? element("details", {}, element("summary", {}, "the numbers"), made) : made);
}

/* A chart with a title of its own; `make` gives its configuration, in the colours of the moment. */
function chart(into, title, alternative, make, tall) {
  if (!hasCharts) return;
  const canvas = element("canvas", { role: "img", "aria-label": alternative });
  into.append(element("div", {}, title ? element("h3", {}, title) : null,
    element("div", { class: tall ? "plot tall" : "plot" }, canvas)));
  drawings.push(() => new Chart(canvas, make()));
}

/* Points that stand somewhere, and bars that have a length. */
const drawnPoints = (drawn) => drawn.data.datasets.reduce((all, _, i) => all +
  drawn.getDatasetMeta(i).data.filter(({ x, y, base, horizontal }) =>
    Number.isFinite(x) && Number.isFinite(y) && base !== (horizontal ? x : y)).length, 0);

function colours() {
  const style = getComputedStyle(root), of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ground: of("ground"), ink: of("ink"), faint: of("faint"), line: of("line"), grey: of("grey"),
    series: [of("blue"), of("orange"), of("green"), of("purple")] };
}

function draw() {
  if (!hasCharts) return;
  const colour = colours();
  charts.forEach((drawn) => drawn.destroy());
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.color = colour.ink;
  Chart.defaults.borderColor = colour.line;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.plugins.legend.labels.usePointStyle = true;
  Chart.defaults.plugins.legend.labels.boxHeight = 7;
  charts = drawings.map((make) => make());
  charts.forEach((drawn) => { drawn.canvas.dataset.points = drawnPoints(drawn); });
}

const axis = (text, more = {}) => ({ title: { display: true, text }, ...more });

const compact = (value) => value < 1e4 ? significant(value, 2) : value.toLocaleString("en", { notation: "compact" });

/* Ticks of a logarithmic axis: powers of ten, and 2 and 5 of them where there is room; `name` writes them. */
const logarithmic = (text, more = {}, name = compact) => axis(text, {
  type: "logarithmic", ...more,
  ticks: { autoSkip: true, maxRotation: 0, callback: (value) => {
    const digit = value / 10 ** Math.floor(Math.log10(value) + 1e-9);
    return [1, 2, 5].some((one) => Math.abs(digit - one) < 1e-6) ? name(value) : null;
  } } });

/* ---- Head ------------------------------------------------------------------------------------------------------- */

function head() {
  const score = (form) => form.accuracy === undefined ? significant(form.loss) : percent(form.accuracy);
  const what = data.float.accuracy === undefined ? "loss" : "accuracy";
  const facts = [[`FP32 ${what}`, score(data.float), data.against ? `of ${data.against}` : "of the FP32 weights behind"],
    [`integer ${what}`, score(data.integer), `${widths(data.bits)}, ${whole(data.examples)} examples`],
    ["parameters", whole(data.parameters), `weights ${data.weights_hash}`],
    ["size", kilobytes(data.bytes), `FP32 ${kilobytes(data.float_bytes)}`]];
  if (data.changed)
    facts.splice(2, 0, ["other answers", whole(data.changed.count),
      `${data.changed.won} now right, ${data.changed.lost} now wrong`]);
  document.title = `${data.name} \u2013 Rung report`;
  document.getElementById("head").append(element("h1", {}, data.name),
    element("div", { class: "faint" }, `${data.text || "a network that is no chain of layers"}; measured on ${data.data}`),
    element("dl", { class: "facts" }, ...facts.map(([name, value, more]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, more))))));
  document.getElementById("contents").append(element("ul", {}));
}

/* ---- Training curves -------------------------------------------------------------------------------------------- */

/* One series for each stretch of epochs at the same widths, of training and of validation. */
function stretches(key, name) {
  const sets = [];
  data.history.forEach((epoch, i) => {
    if (epoch[key] === null) return;
    const label = `${widths(epoch.bits)}, ${name}`, last = sets[sets.length - 1];
    if (!last || last.label !== label || last.end !== i) sets.push({ label, data: [] });
    sets[sets.length - 1].data.push({ x: i + 1, y: epoch[key] });
    sets[sets.length - 1].end = i + 1;
  });
  return sets;
}

function curve(into, title, unit, key, by, log) {
  const sets = [...stretches(key, "training"), ...stretches(`validation_${key}`, "validation")];
  if (sets.length === 0) return;
  const kinds = [...new Set(data.history.map((epoch) => epoch.bits))];
  chart(into, title, `${title} over ${data.history.length} epochs`, () => ({
    type: "line",
    data: { datasets: sets.map((set) => {
      const kind = kinds.findIndex((bits) => set.label.startsWith(widths(bits))), held = set.label.endsWith("validation");
      const colour = colours().series[kind % 4];
      return { label: set.label, data: set.data.map(({ x, y }) => ({ x, y: by * y })), borderColor: colour,
        backgroundColor: held ? colours().ground : colour, borderDash: held ? [6, 4] : [], borderWidth: 2,
        pointStyle: ["circle", "rect", "triangle", "rectRot"][kind % 4], pointRadius: 4 };
    }) },
    options: { scales: {
      x: axis("epoch, over all fits", { type: "linear", ticks: { precision: 0, stepSize: 1, autoSkip: true } }),
      y: log ? logarithmic(unit) : axis(unit) } } }));
}

function trainingCurves() {
  const made = figure("curves", "Training",
    data.history.length ? "Loss and accuracy over each epoch, while it trained, and on examples held out where there were some. " +
      "A stretch in FP32, and one with the integers in the loop (QAT)." :
      "The file tells of no epoch: the network was not trained by Rung, or imported.");
  if (!data.history.length) return;
  const charts = element("div", { class: "charts" });
  made.append(charts);
  const losses = data.history.map((epoch) => epoch.loss);
  curve(charts, "Loss", "loss, mean over the epoch", "loss", 1, Math.min(...losses) > 0 && Math.max(...losses) > 5 * Math.min(...losses));
  curve(charts, "Accuracy", "accuracy, %", "accuracy", 100, false);
  numbers(made, ["epoch", "form", "rate", "loss", "accuracy", "validation loss", "validation accuracy"],
    data.history.map((epoch, i) => [String(i + 1), widths(epoch.bits), significant(epoch.rate, 3), significant(epoch.loss),
      percent(epoch.accuracy), significant(epoch.validation_loss), percent(epoch.validation_accuracy)]), "epochs");
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

const centres = (histogram) => histogram.before.map((_, i) => histogram.first + (i + 0.5) * histogram.width);

function weights() {
  const made = figure("weights", "Weights before and after quantization",
    "How many weights have which value: as FP32 numbers, and as what their integers stand for. Few bits draw a few tall " +
    "bars; with a scale a channel there is a comb for each. The vertical axis is logarithmic.");
  const grid = element("div", { class: "charts" });
  made.append(grid);
  for (const layer of data.layers) {
    const { histogram, bits, sqnr_db } = layer.weights, x = centres(histogram);
    const points = (counts) => counts.map((y, i) => ({ x: x[i], y: y || null }));
    chart(grid, `${layer.name}: ${layer.out} \u00d7 ${layer.in}, ${bits} bit${bits === 1 ? "" : "s"}, ${decibel(sqnr_db)} dB`,
      `Histogram of the ${whole(layer.weights.count)} weights of ${layer.name}, from ${significant(layer.weights.least)} to ` +
      `${significant(layer.weights.most)}, before and after quantization to ${bits} bits`,
      () => {
        const bar = { grouped: false, barPercentage: 1, categoryPercentage: 1 };
        return { type: "bar", data: { datasets: [
          { label: "after", data: points(histogram.after), backgroundColor: colours().series[1], ...bar, barPercentage: 0.5, order: 0 },
          { label: "before", data: points(histogram.before), backgroundColor: `${colours().series[0]}99`, ...bar, order: 1 }] },
          options: { scales: { x: axis("value of the weight", { type: "linear", offset: false, grid: { offset: false } }),
            y: logarithmic("weights in a bin", { min: 0.5 }) } } };
      });
  }
  if (!hasCharts) numbers(made, ["layer", "weights", "least", "largest", "SQNR, dB"], data.layers.map((layer) => [layer.name,
    whole(layer.weights.count), significant(layer.weights.least), significant(layer.weights.most), decibel(layer.weights.sqnr_db)]));
}

/* ---- Activations ------------------------------------------------------------------------------------------------ */

function activations() {
  if (!data.activations.length) return;
  const made = figure("activations", "Ranges of activations and the chosen clip",
    "What values reach in the quantized network before they are rounded, on these examples, and the part of it that integers " +
    "can stand for (the clip). " +
    "A clip far inside of the range cuts values off; one far outside wastes steps.");
  chart(made, null, `Ranges and clips of ${data.activations.length} activations`, () => ({
    type: "bar",
    data: { labels: data.activations.map((one) => one.name), datasets: [
      { label: "clip", data: data.activations.map((one) => [one.clip_least, one.clip_most]), grouped: false,
        backgroundColor: colours().series[1], barPercentage: 0.3, order: 0 },
      { label: "range before rounding", data: data.activations.map((one) => [one.least, one.most]), grouped: false,
        backgroundColor: `${colours().series[0]}99`, barPercentage: 0.8, order: 1 }] },
    options: { indexAxis: "y", scales: { x: axis("value, in units of the layer's output"), y: axis("activation") } } }));
  const grid = element("div", { class: "charts" });
  made.append(grid);
  for (const one of data.activations) {
    const x = centres(one.histogram), half = (one.clip_most - one.clip_least) / (2 ** one.bits - 1) / 2;
    const inside = x.map((value) => value >= one.clip_least - half && value <= one.clip_most + half);
    const part = (want) => one.histogram.before.map((y, i) => ({ x: x[i], y: inside[i] === want && y ? y : null }));
    chart(grid, `${one.name}: ${one.bits} bits, ${percent(one.clipped, 3)} clipped`,
      `Histogram of the values of ${one.name}; the clip is ${significant(one.clip_least)} to ${significant(one.clip_most)}`,
      () => {
        const bar = { grouped: false, barPercentage: 1, categoryPercentage: 1 };
        return { type: "bar", data: { datasets: [
          { label: "inside of the clip", data: part(true), backgroundColor: colours().series[0], ...bar },
          { label: "outside", data: part(false), backgroundColor: colours().series[1], ...bar }] },
          options: { scales: { x: axis("value before rounding", { type: "linear", offset: false, grid: { offset: false } }),
            y: logarithmic("values in a bin", { min: 0.5 }) } } };
      });
  }
  numbers(made, ["activation", "least", "largest", "clip from", "clip to", "clipped"], data.activations.map((one) => [one.name,
    significant(one.least), significant(one.most), significant(one.clip_least), significant(one.clip_most),
    percent(one.clipped, 3)]));
}

/* ---- Accuracy against size -------------------------------------------------------------------------------------- */

/* Names points, where there is room for the name. */
const pointNames = {
  id: "pointNames",
  afterDatasetsDraw(drawn) {
    const { ctx, chartArea } = drawn;
    const taken = drawn.data.datasets.flatMap((set, s) => drawn.getDatasetMeta(s).data.map((point) => point.getProps(["x", "y"], true)))
      .map(({ x, y }) => [x - 5, y - 5, x + 5, y + 5]);
    ctx.save();
    ctx.font = `0.75rem ${Chart.defaults.font.family}`;
    ctx.fillStyle = Chart.defaults.color;
    drawn.data.datasets.forEach((set, s) => set.data.forEach((point, i) => {
      if (!point.name) return;
      const { x, y } = drawn.getDatasetMeta(s).data[i].getProps(["x", "y"], true), width = ctx.measureText(point.name).width;
      const places = [[x + 8, y + 4], [x - width - 8, y + 4], [x - width / 2, y - 9], [x - width / 2, y + 18], [x + 6, y - 9], [x + 6, y + 16]];
      const free = places.find(([left, base]) => left >= chartArea.left && left + width <= chartArea.right &&
        base - 10 >= chartArea.top && base <= chartArea.bottom &&
        !taken.some((box) => left < box[2] && left + width > box[0] && base > box[1] && base - 11 < box[3]));
      if (!free) return;
      taken.push([free[0], free[1] - 11, free[0] + width, free[1]]);
      ctx.fillText(point.name, free[0], free[1]);
    }));
    ctx.restore();
  } };

/* Of the points those that no other is both smaller and less wrong than. */
function undominated(points) {
  let best = Infinity;
  return [...points].sort((a, b) => a.x - b.x || a.y - b.y).filter((point) => point.y < best && ((best = point.y), true));
}

/* The share of wrong answers, on a logarithmic axis, tells 98 from 99 % beside 50; none wrong is half of one. Labelled by
 * the accuracy, the best on top. */
const wrong = (accuracy) => 100 * Math.max(1 - accuracy, 0.5 / data.examples);
const accuracyAxis = () => logarithmic("accuracy, % (distance from 100: logarithmic)", { reverse: true, grace: "5%" },
  (error) => String(Number((100 - error).toPrecision(6))));

function frontier() {
  const classifies = data.float.accuracy !== undefined, of = (one) => classifies ? wrong(one.accuracy) : one.loss;
  const told = (one) => classifies ? percent(one.accuracy) : significant(one.loss);
  const points = data.frontier.filter((one) => one.bytes !== undefined)
    .map((one) => ({ x: one.bytes / 1000, y: of(one), name: one.bits, told: told(one) }));
  const made = figure("frontier", `Bits, ${classifies ? "accuracy" : "loss"} and size`,
    `The FP32 network rounded to nearest at several widths: ranges from training data, measured on ${data.data}, nothing ` +
    "trained. wNaM is N bits for weights and M for activations. The line joins the widths that no other beats in both.");
  const own = data.bytes === undefined ? [] : [{ x: data.bytes / 1000, y: of(data.integer), name: data.bits, told: told(data.integer) }];
  const real = [{ x: data.float_bytes / 1000, y: of(data.float), name: "FP32", told: told(data.float) }];
  chart(made, null, `${classifies ? "Accuracy" : "Loss"} against size of ${points.length} widths, this model and FP32`, () => {
    const [blue, orange, green] = colours().series, all = [...points, ...own, ...real].map(({ x }) => x);
    const sizes = [Math.min(...all), Math.max(...all)];
    const line = undominated([...points, ...own, ...real]);
    return { type: "scatter", plugins: [pointNames],
      data: { datasets: [
        { label: "this model", data: own, pointStyle: "star", radius: 9, borderWidth: 2, borderColor: orange, backgroundColor: orange },
        { label: "rounded to nearest", data: points, pointStyle: "circle", radius: 5, borderColor: blue, backgroundColor: blue },
        { label: "FP32", data: real, pointStyle: "triangle", radius: 7, borderColor: green, backgroundColor: green },
        { label: "not beaten", data: line.map(({ x, y }) => ({ x, y })), type: "line", stepped: true, borderColor: colours().grey, borderWidth: 1.5,
          borderDash: [5, 4], pointRadius: 0, pointHitRadius: 0, pointStyle: "line", order: 9 }] },
      options: { scales: { x: logarithmic("size of the parameters, kB", { min: 0.8 * sizes[0], max: 1.3 * sizes[1] }), y: classifies ? accuracyAxis() : logarithmic("loss", { reverse: true }) },
        plugins: { tooltip: { callbacks: { label: ({ raw }) => `${raw.name} ${significant(raw.x)} kB, ${raw.told}` } } } } };
  }, true);
  numbers(made, ["widths", "size", classifies ? "accuracy" : "loss"], [["FP32", kilobytes(data.float_bytes), told(data.float)],
    ...data.frontier.map((one) => [one.bits, kilobytes(one.bytes), told(one)]),
    [`this model, ${data.bits}`, kilobytes(data.bytes), told(data.integer)]]);
}

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

/* Red-green pairs are avoided: right answers are blue, wrong ones orange, stronger the more there are. */
function heat(count, total, right) {
  const strength = count ? 0.12 + 0.5 * Math.sqrt(count / total) : 0;
  return `background: rgba(var(--heat-${right ? "right" : "wrong"}), ${strength.toFixed(3)})`;
}

function confusion() {
  if (!data.confusion) return;
  const made = figure("confusion", "Confusion matrix of the integer network",
    `Rows are labels, columns what the integer network answers; each cell counts examples, ${whole(data.examples)} in all.`);
  const rows = data.confusion.map((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return element("tr", {}, element("th", { scope: "row" }, data.classes[i]),
      ...row.map((count, j) => element("td", { style: heat(count, total || 1, i === j) }, count ? whole(count) : "\u00b7")),
      element("td", {}, total ? percent(row[i] / total, 1) : "\u2013"));
  });
  made.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
    element("table", { class: "heat" }, element("caption", {}, "label \u2193, answer \u2192 (examples)"),
      element("thead", {}, element("tr", {}, element("td", {}), ...data.classes.map((name) => element("th", { scope: "col" }, name)),
        element("th", { scope: "col" }, "right"))), element("tbody", {}, ...rows))));
}

/* Two hexadecimal digits a pixel, as a grey picture. */
function picture(example, { width, height }) {
  const canvas = element("canvas", { width, height, role: "img",
    "aria-label": `example ${example.index}, label ${data.classes[example.label]}` });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const grey = parseInt(example.pixels.substr(2 * i, 2), 16);
    image.data.set([grey, grey, grey, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function changed() {
  if (!data.changed) return;
  const all = data.changed, verdict = (is, example) => is === example.label ? "right" : "wrong";
  const few = all.examples.length < all.count ? ` The first ${all.examples.length} of them:` : "";
  const made = figure("changed", "Examples that changed class",
    all.count ? `${whole(all.count)} of ${whole(data.examples)} examples have another answer in integers than in FP32: ` +
      `${whole(all.won)} are now right, ${whole(all.lost)} now wrong, the others wrong in another way.${few}` :
      `All ${whole(data.examples)} examples have the same answer in integers and in FP32.`);
  if (!all.count) return;
  made.append(element("ul", { class: "pictures" }, ...all.examples.map((example) => element("li", {},
    example.pixels ? picture(example, all) : null,
    element("div", { class: "faint" }, `no. ${example.index}, label ${data.classes[example.label]}`),
    element("div", { class: verdict(example.float, example) }, `FP32: ${data.classes[example.float]}`),
    element("div", { class: verdict(example.integer, example) }, `integers: ${data.classes[example.integer]}`)))));
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

function analysis() {
  const made = figure("analysis", "Layer by layer",
    "Signal to quantization noise (SQNR) of weights and activations by themselves, and of a layer's output with the errors of " +
    "all layers before it. 6 dB are a bit. Clipped: further than half a step outside of the clip. At the limits: share of " +
    "integers that are the least or the largest there are. Dead: outputs with the same integer on every example. " +
    "Flips: changes of an integer while it trained and was watched; oscillating: weights that hop to and fro; frozen: held.");
  const values = (one) => [String(one.bits), `${significant(one.least, 3)} \u2026 ${significant(one.most, 3)}`,
    `${significant(one.clip_least, 3)} \u2026 ${significant(one.clip_most, 3)}`, decibel(one.sqnr_db), percent(one.clipped, 3),
    percent(one.at_qmin), percent(one.at_qmax)];
  const columns = ["bits", "range", "clip", "SQNR, dB", "clipped", "at least", "at largest"];
  made.append(
    table(["layer", "out \u00d7 in", ...columns, "output SQNR, dB", "dead", "flips", "oscillating", "frozen"], data.layers.map((layer) => [layer.name,
      `${layer.out} \u00d7 ${layer.in}`, ...values(layer.weights), decibel(layer.output_sqnr_db), `${layer.dead} of ${layer.out}`,
      whole(layer.flips), whole(layer.oscillating), whole(layer.frozen)]), "weights"),
    table(["activation", ...columns], data.activations.map((one) => [one.name, ...values(one)]), "activations"));
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

head();
[trainingCurves, weights, activations, frontier, confusion, changed, analysis].forEach((part) => part());
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
/* Paper is white whatever the screen is. */
addEventListener("beforeprint", () => { root.classList.add("paper"); draw(); });
addEventListener("afterprint", () => { root.classList.remove("paper"); draw(); });
root.dataset.requests = String(performance.getEntriesByType("resource").length);
root.dataset.charts = String(charts.length);
root.dataset.state = "drawn";
