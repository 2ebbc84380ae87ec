// A table that sorts by any column.
//
// Columns: { head, value: row → what sorts and, unless `cell` draws it, is shown; main; numeric; cell; hint }.

/** `choose(row)` makes the `main` cell a button, `total` is a last row that stays, `look(row)` a class of the row. */
function sortable({ caption, columns, rows, choose, total, look }) {
  const lines = rows.map((row) => ({ row, element: line(row) }));
  const body = h("tbody", {}, lines.map((one) => one.element));
  const heads = columns.map((column) =>
    h("th", { scope: "col", class: column.numeric ? "number" : undefined, title: column.hint },
      h("button", { type: "button", onclick: () => sort(column) }, column.head)));
  let sorted = { column: null, down: false };

  function cells(row, tag) {
    return columns.map((column, index) => {
      const value = column.value(row);
      let content = column.cell ? column.cell(row) : column.numeric ? number(value) : value;
      if (tag === "td" && choose && index === columns.findIndex((one) => one.main)) {
        content = h("button", { type: "button", class: "link", onclick: () => choose(row) }, content);
      }
      return h(column.main ? "th" : "td", { class: column.numeric ? "number" : column.class, scope: column.main ? "row" : undefined }, content);
    });
  }
  function line(row) {
    return h("tr", {
      class: look?.(row),
      onclick: choose && ((event) => event.target.closest("button") || choose(row)),
    }, cells(row, "td"));
  }
  function sort(column) {
    const down = sorted.column === column ? !sorted.down : Boolean(column.numeric);
    sorted = { column, down };
    const text = new Intl.Collator("en", { numeric: true });
    const order = (a, b) => {
      const [one, other] = [column.value(a.row), column.value(b.row)];
      // What has no value is last, whichever way.
      if (!known(one) || !known(other)) return Number(known(other)) - Number(known(one));
      const difference = column.numeric ? one - other : text.compare(one, other);
      return down ? -difference : difference;
    };
    body.replaceChildren(...[...lines].sort(order).map((one) => one.element));
    heads.forEach((head, index) => {
      if (columns[index] === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
  const element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: choose ? "choosable" : undefined },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads)), body,
      total && h("tfoot", {}, h("tr", {}, cells(total, "total")))));
  return {
    element,
    mark: (test) => lines.forEach(({ row, element: one }) => {
      if (test(row)) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }),
    filter: (test) => lines.forEach(({ row, element: one }) => { one.hidden = !test(row); }),
  };
}

/** The number with a bar as long as its part of the largest. */
function barred(value, most, text = number, kind = "") {
  const part = most > 0 ? Math.min(Math.max(value, 0), most) / most : 0;
  const track = () => h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: kind, style: { width: `${100 * part}%` } }));
  return h("span", { class: "barred" }, known(value) ? track() : h("span"), h("span", {}, text(value)));
}

/** What a layer is called, with its operator below. */
const layerName = ({ name, op }) => [h("span", { class: "name" }, name), op && h("span", { class: "under" }, op)];

function kernelCell(symbol) {
  const [name, isa] = kernelName(symbol).split(" · ");
  return h("code", { title: symbol }, name, h("span", { class: "under" }, isa));
}

function layersSection(build) {
  const most = Math.max(...build.layers.map((layer) => layer.cycles ?? 0));
  const total = {
    index: "", name: "Total", op: "", kernel: "", macs: build.macs, instructions: build.instructions,
    cycles: build.cycles, weights: build.weights, scratch: null,
  };
  const table = sortable({
    caption: "Layers and what they cost",
    choose: (layer) => select(layer.index, "table"),
    rows: build.layers,
    total,
    columns: [
      { head: "#", value: (layer) => layer.index, numeric: true, cell: (layer) => String(layer.index) },
      { head: "layer", value: (layer) => layer.name, main: true, cell: layerName },
      { head: "cycles", value: (layer) => layer.cycles, numeric: true, cell: (layer) => (layer === total ? number(layer.cycles) : barred(layer.cycles, most)) },
      { head: "instructions", value: (layer) => layer.instructions, numeric: true },
      { head: "MACs", value: (layer) => layer.macs, numeric: true, hint: "Multiply-accumulates of one inference" },
      { head: "cycles/MAC", value: (layer) => (layer.macs && known(layer.cycles) ? layer.cycles / layer.macs : null), numeric: true,
        cell: (layer) => (layer.macs && known(layer.cycles) ? decimal(layer.cycles / layer.macs, 2) : NONE) },
      { head: "constants B", value: (layer) => layer.weights, numeric: true, hint: "Bytes of weights, biases and tables in flash" },
      { head: "scratch B", value: (layer) => layer.scratch, numeric: true, hint: "Bytes of the arena that only this layer needs" },
      { head: "kernel", value: (layer) => layer.kernel, cell: (layer) => layer !== total && kernelCell(layer.kernel) },
    ],
  });
  onSelect((layer) => table.mark((row) => row.index === layer));
  return section("layers", "Layers", `${costsText(build)} Click a heading to sort, a layer to find it in the drawings. What layers share in flash counts once in the total.`, table.element);
}

function costsText({ costs, cycles_of, timed, board }) {
  const own = cycles_of === board.core;
  if (costs === "counted") {
    const timing = own ? "the published timings of its core" : `the timings of a ${cycles_of}, as none of a ${board.core} are published`;
    return `Instructions of one inference were counted on the emulated ${board.soc}; cycles are an estimate from ${timing}, without wait states.`;
  }
  return "Instructions and cycles are what the kernels predict; nothing was run."
    + (own ? "" : ` They are those of a ${cycles_of}${timed ? "." : " and rank layers; this core takes others."}`);
}
