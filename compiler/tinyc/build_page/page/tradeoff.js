// What other choices of kernels would cost, where the build asked for it.

function tradeoffSection(build) {
  const points = build.tradeoff;
  if (!points.length) return null;
  const view = h("div", { class: "plot", role: "img", "aria-label": "Arena and cycles of the choices; the table below has the numbers" });
  new ResizeObserver(() => put(view, drawTradeoff(points, roomFor(view)))).observe(view);
  const table = sortable({
    caption: "Choices of kernels",
    rows: points,
    look: (point) => (point.chosen ? "chosen" : ""),
    columns: [
      { head: "optimized for", value: (point) => point.optimize || "between", main: true,
        cell: (point) => [h("span", {}, point.optimize || "between"), point.chosen && h("span", { class: "badge added" }, "this build")] },
      { head: "arena B", value: (point) => point.arena, numeric: true },
      { head: "cycles", value: (point) => point.cycles, numeric: true },
      { head: "instructions", value: (point) => point.instructions, numeric: true },
      { head: "flash B", value: (point) => point.flash, numeric: true },
    ],
  });
  return section("tradeoff", "Trade-off",
    "Each point is a choice of kernels that no other one beats in arena, cycles and flash; the filled one is this build. The arena is exact, cycles and flash are predicted.",
    view, table.element);
}

function drawTradeoff(points, width) {
  const [left, right, above, height, below] = [70, 24, 26, 240, 40];
  const timed = points.filter((point) => known(point.cycles));
  // The scales are logarithmic: a choice can cost many times what another one does.
  const range = (values) => [Math.min(...values) / 1.15, Math.max(...values) * 1.15];
  const [x0, x1] = range(timed.map((point) => Math.max(1, point.arena)));
  const [y0, y1] = range(timed.map((point) => Math.max(1, point.cycles)));
  const x = (value) => left + (Math.log(value / x0) / Math.log(x1 / x0)) * (width - left - right);
  const y = (value) => above + height * (1 - Math.log(value / y0) / Math.log(y1 / y0));
  const ticks = (low, high) => [0, 1, 2, 3].map((part) => low * (high / low) ** (part / 3));
  const texts = [];
  /** Below the texts that are there already. */
  const free = (at, line) => {
    while (texts.some((text) => Math.abs(text.at - at) < 110 && Math.abs(text.line - line) < 14)) line += 1;
    texts.push({ at, line });
    return line;
  };
  return s("svg", { width, height: above + height + below, viewBox: `0 0 ${width} ${above + height + below}`, "aria-hidden": "true" },
    ticks(y0, y1).map((tick) => [
      s("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      s("text", { class: "axis", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, rounded(Math.round(tick))),
    ]),
    ticks(x0, x1).map((tick) => s("text", { class: "axis", x: x(tick), y: above + height + 17, "text-anchor": "middle" }, rounded(Math.round(tick)))),
    s("text", { class: "axis", x: width - right, y: above + height + 34, "text-anchor": "end" }, "bytes of arena"),
    s("text", { class: "axis", x: left - 8, y: 12, "text-anchor": "end" }, "cycles"),
    timed.map((point) => [
      s("circle", { class: point.chosen ? "point chosen" : "point", cx: x(point.arena), cy: y(point.cycles), r: 6 },
        s("title", {}, `${point.optimize || "between"}: ${bytes(point.arena)} of arena, ${number(point.cycles)} cycles, ${bytes(point.flash)} of flash`)),
      point.optimize && s("text", {
        x: x(point.arena) + (x(point.arena) > width * 0.75 ? -11 : 11), y: free(x(point.arena), y(point.cycles) + 4),
        "text-anchor": x(point.arena) > width * 0.75 ? "end" : "start",
      }, point.optimize),
    ]));
}
