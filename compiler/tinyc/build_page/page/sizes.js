// What takes the bytes: flash and RAM against what the board has, then symbol by symbol.

const GROUPS = { constants: "constants of the model", kernels: "kernels", arena: "arena", firmware: "firmware", stack: "reserved stack", free: "free" };
const SMALLEST = 0.0015;

const sumOf = (symbols) => symbols.reduce((sum, symbol) => sum + symbol.bytes, 0);

function sizesSection(build) {
  const flash = build.symbols.filter((symbol) => symbol.kind !== "bss");
  const ram = build.symbols.filter((symbol) => symbol.kind === "data" || symbol.kind === "bss");
  const info = h("p", { class: "info", role: "status" }, "Point at a part, or tap it, to read what it is.");
  const view = h("div", { class: "plot", role: "group", "aria-label": "Symbols in flash" });
  const show = (symbol) => put(info, h("strong", { class: "name" }, symbol.name), ` ${bytes(symbol.bytes)}, ${percent(symbol.bytes / build.flash)} of the firmware's flash; ${symbol.kind}, ${GROUPS[symbol.group]}.`);
  let marks = [];
  const mark = () => marks.forEach(({ symbol, element }) => element.classList.toggle("own", known(symbol.layer) && symbol.layer === selection.layer));
  const draw = () => {
    const drawing = drawTreemap(flash, roomFor(view));
    marks = drawing.marks;
    marks.forEach(({ symbol, element }) => {
      element.addEventListener("pointerenter", () => show(symbol));
      element.addEventListener("focus", () => show(symbol));
      element.addEventListener("click", () => {
        show(symbol);
        if (known(symbol.layer)) select(symbol.layer, "sizes");
      });
    });
    put(view, drawing.picture);
    roving(marks.map(({ element }) => element));
    mark();
  };
  new ResizeObserver(draw).observe(view);
  onSelect(mark);
  const table = sortable({
    caption: "Symbols of the firmware",
    rows: build.symbols,
    columns: [
      { head: "symbol", value: (symbol) => symbol.name, main: true, cell: (symbol) => h("code", {}, symbol.name) },
      { head: "kind", value: (symbol) => symbol.kind },
      { head: "part", value: (symbol) => GROUPS[symbol.group] },
      { head: "bytes", value: (symbol) => symbol.bytes, numeric: true },
    ],
  });
  return section("sizes", "Flash and RAM",
    known(build.image) ? `The model is an image of its own with ${bytes(build.image)}; here is the firmware without it.` : null,
    h("div", { class: "meters" },
      meter("Flash", flash, build.flash, build.board.flash, 0),
      meter("RAM", ram, build.ram, build.board.ram, build.stack)),
    view, info,
    h("details", {}, h("summary", {}, `All ${number(build.symbols.length)} symbols`), table.element));
}

/** One bar as long as the memory, of the parts that take it. */
function meter(name, symbols, used, room, stack) {
  const parts = Object.keys(GROUPS).map((group) => [group, sumOf(symbols.filter((symbol) => symbol.group === group))]);
  const entries = [...parts.filter(([, size]) => size > 0), ...(stack ? [["stack", stack]] : [])];
  const free = Math.max(0, room - used - stack);
  return h("div", { class: "meter" },
    h("h3", {}, name, h("span", { class: "muted" }, ` ${bytes(used)} of ${bytes(room)}, ${percent(used / room)}`)),
    h("div", { class: "bar", "aria-hidden": "true" }, entries.map(([group, size]) =>
      h("span", { class: group, style: { width: `${(100 * size) / Math.max(room, used + stack)}%` } }))),
    legend([...entries, ["free", free]].map(([group, size]) => [group, `${GROUPS[group]} ${bytes(size)}`])));
}

function drawTreemap(symbols, width) {
  const height = width < 600 ? 420 : 360;
  const total = sumOf(symbols);
  const groups = Object.keys(GROUPS).map((group) => {
    const own = symbols.filter((symbol) => symbol.group === group);
    // What is too small to be seen is one rectangle.
    const [large, small] = [own.filter((one) => one.bytes >= SMALLEST * total), own.filter((one) => one.bytes < SMALLEST * total)];
    const rest = small.length ? [{ name: `${number(small.length)} smaller ones`, kind: "several kinds", group, layer: null, bytes: sumOf(small) }] : [];
    return { group, children: [...large, ...rest] };
  });
  const root = d3.hierarchy({ children: groups.filter((group) => group.children.length) }).sum((one) => one.bytes ?? 0).sort((a, b) => b.value - a.value);
  d3.treemap().size([width, height]).paddingInner(2).paddingTop((node) => (node.depth === 1 ? 22 : 0)).round(true)(root);
  const box = (node) => ({ x: node.x0, y: node.y0, width: Math.max(0, node.x1 - node.x0), height: Math.max(0, node.y1 - node.y0) });
  const marks = root.leaves().map((leaf) => {
    const { width: w, height: t, ...at } = box(leaf);
    return {
      symbol: leaf.data,
      element: s("g", { class: `symbol ${leaf.data.group}`, role: "button", "aria-label": `${leaf.data.name}, ${bytes(leaf.data.bytes)}` },
        s("rect", { ...at, width: w, height: t, rx: 2 }),
        t >= 20 && s("text", { x: at.x + 5, y: at.y + 14 }, fitted(shortSymbol(leaf.data.name), w - 9)),
        t >= 36 && w >= 54 && s("text", { class: "size", x: at.x + 5, y: at.y + 29 }, bytes(leaf.data.bytes))),
    };
  });
  const picture = s("svg", { class: "treemap", width, height, viewBox: `0 0 ${width} ${height}` },
    root.children.map((node) => {
      const text = `${GROUPS[node.data.group]} ${bytes(node.value)}`;
      return s("text", { class: "group-name", x: node.x0, y: node.y0 + 15 }, fitted(text, node.x1 - node.x0 - 6, 12, 600));
    }),
    marks.map(({ element }) => element));
  return { picture, marks };
}

/** Without the model's name in front, and kernels as everywhere. */
const shortSymbol = (name) => kernelName(name).replace(/^.*_(layer_\d)/, "$1");
