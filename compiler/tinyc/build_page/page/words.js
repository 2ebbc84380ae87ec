// How numbers, sizes and names read.

const NUMBER = new Intl.NumberFormat("en");
const NONE = "–";
const known = (value) => value !== null && value !== undefined;

const number = (value) => (known(value) ? NUMBER.format(value) : NONE);
const bytes = (value) => (known(value) ? `${NUMBER.format(value)} B` : NONE);
const percent = (part, digits = 1) => (Number.isFinite(part) ? `${(100 * part).toFixed(digits)} %` : NONE);
const decimal = (value, digits) => (known(value) ? value.toFixed(digits) : NONE);
const decibel = (value) => (!known(value) ? NONE : value >= NO_NOISE ? "exact" : `${value.toFixed(1)} dB`);
// What the bill writes where there is no noise at all.
const NO_NOISE = 200;

/** `+1,234`, `−12`, `0`. */
const signed = (value, text = number) =>
  !known(value) ? NONE : value === 0 ? text(0) : `${value > 0 ? "+" : "−"}${text(Math.abs(value))}`;

/** 1,234,567 → 1.23 M, for headlines; the exact number stands elsewhere. */
function rounded(value) {
  if (!known(value)) return NONE;
  const [unit, size] = value >= 1e9 ? ["G", 1e9] : value >= 1e6 ? ["M", 1e6] : value >= 1e4 ? ["k", 1e3] : ["", 1];
  return size === 1 ? NUMBER.format(value) : `${(value / size).toPrecision(3)} ${unit}`;
}

/** The time of cycles, where they are cycles of a core like the build's. */
const milliseconds = (build, cycles) => (known(cycles) && build.timed ? (cycles / build.board.clock_hz) * 1000 : null);
const duration = (value) =>
  !known(value) ? NONE : value >= 1000 ? `${(value / 1000).toFixed(2)} s` : value >= 1 ? `${value.toFixed(1)} ms` : `${(value * 1000).toFixed(0)} µs`;

const shape = (tensor) => (tensor.shape.length ? tensor.shape.join("×") : "scalar");
/** As much of a text as fits into a width, in pixels, at a font of `size`; nothing where hardly a letter does. */
function fitted(text, width, size = 11.5, weight = 400) {
  const pen = (fitted.pen ??= document.createElement("canvas").getContext("2d"));
  pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  if (pen.measureText(text).width <= width) return text;
  let [fits, long] = [0, text.length];
  while (long - fits > 1) {
    const middle = (fits + long) >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) fits = middle;
    else long = middle;
  }
  return fits >= 3 ? `${text.slice(0, fits)}…` : "";
}
/** The part of a kernel's name that tells it from others: `conv_2d_s8_1x1_2x4 · cortex_m4`. */
const kernelName = (symbol) => symbol.replace(/^tinyc_/, "").replace("__", " · ");
const times = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

/** A list of terms and values; what has no value is left out. */
const facts = (pairs) =>
  h("dl", { class: "facts" },
    pairs.filter(([, value]) => known(value) && value !== "" && value !== false)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

/** A part of the page with a heading and a line that says how to read it. */
function section(id, title, lead, ...content) {
  return h("section", { id, "aria-labelledby": `${id}-title`, tabindex: "-1" },
    h("h2", { id: `${id}-title` }, title), lead && h("p", { class: "lead" }, lead), content);
}

/** The width that there is for a drawing; a page that is not laid out yet has none. */
const roomFor = (view) => Math.max(280, view.clientWidth);

const legend = (entries) =>
  h("p", { class: "legend" }, entries.map(([kind, text]) => h("span", {}, h("i", { class: `key ${kind}` }), text)));
