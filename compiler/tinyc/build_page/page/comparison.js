// This build beside another one.

const CHANGES = { same: "same", changed: "changed", added: "new", removed: "gone" };

function comparisonSection(build, comparison) {
  if (!comparison) return null;
  const { other } = comparison;
  const rows = comparison.layers.map((change, place) => ({
    ...change, place, old: known(change.before) ? other.layers[change.before] : null, now: known(change.after) ? build.layers[change.after] : null,
  }));
  const alike = rows.filter((row) => row.change === "same").length;
  const layers = sortable({
    caption: "Layers of both builds",
    rows,
    choose: (row) => row.now && select(row.now.index, "comparison"),
    look: (row) => row.change,
    columns: [
      { head: "layer", value: (row) => row.name, main: true, cell: (row) => layerName(row.now ?? row.old) },
      { head: "state", value: (row) => CHANGES[row.change], cell: (row) => h("span", { class: `badge ${row.change}` }, CHANGES[row.change]) },
      ...["cycles", "instructions", "macs", "weights", "scratch"].map((key) => ({
        head: { macs: "MACs", weights: "constants B", scratch: "scratch B" }[key] ?? key,
        value: (row) => difference(row.old?.[key], row.now?.[key]), numeric: true,
        cell: (row) => change(row.old?.[key], row.now?.[key], row.change === "same" ? 0 : -1),
      })),
      { head: "kernel", value: (row) => (row.now ?? row.old).kernel, cell: kernels },
    ],
  });
  onSelect((layer) => layers.mark((row) => row.after === layer));
  const only = (wanted) => layers.filter((row) => !wanted || row.change !== "same");
  const symbols = sortable({
    caption: "Symbols that differ",
    rows: comparison.symbols,
    columns: [
      { head: "symbol", value: (one) => one.name, main: true, cell: (one) => h("code", {}, one.name) },
      { head: "kind", value: (one) => one.kind },
      { head: "before", value: (one) => one.before, numeric: true },
      { head: "now", value: (one) => one.after, numeric: true },
      { head: "change", value: (one) => one.after - one.before, numeric: true, cell: (one) => change(one.before, one.after, -1) },
    ],
  });
  return section("comparison", "Compared",
    `The other build is ${other.model}${other.version === "0.0.0" ? "" : ` ${other.version}`} for ${other.board.title}, optimized for ${other.optimize}, with firmware ${other.firmware.slice(0, 12)}. Changes are from it to this one.`,
    build.board.name !== other.board.name && h("p", { class: "note" }, "The boards differ, so cycles and times are those of two chips."),
    sortable({
      caption: "Totals of both builds",
      rows: comparison.totals,
      columns: [
        { head: "total", value: (one) => one.name, main: true },
        { head: "before", value: (one) => one.before, numeric: true, cell: (one) => amount(one.before, one.unit) },
        { head: "now", value: (one) => one.after, numeric: true, cell: (one) => amount(one.after, one.unit) },
        { head: "change", value: (one) => relative(one) ?? difference(one.before, one.after), numeric: true,
          cell: (one) => [change(one.before, one.after, one.better), h("span", { class: "relative" }, relative(one) ? signed(relative(one), percent) : "")] },
      ],
    }).element,
    h("div", { class: "tools" }, h("h3", {}, "Layer by layer"),
      alike > 0 && h("label", { class: "switch" }, h("input", { type: "checkbox", id: "changed", onchange: (event) => only(event.target.checked) }), `Hide ${times(alike, "layer")} without a change`)),
    layers.element,
    comparison.symbols.length > 0 && h("details", {}, h("summary", {}, `${times(comparison.symbols.length, "symbol")} of another size`), symbols.element));
}

const difference = (before, after) => (known(before) || known(after) ? (after ?? 0) - (before ?? 0) : null);
/** The change as a part of what was before; decibels and percentages have none. */
const relative = ({ before, after, unit }) => (before && known(after) && unit !== "dB" && unit !== "%" ? (after - before) / before : null);
const exact = (value) => (Number.isInteger(value) ? number(value) : value.toFixed(Math.abs(value) < 0.1 ? 4 : 2));
const amount = (value, unit) => (!known(value) ? NONE : `${exact(value)}${unit ? ` ${unit}` : ""}`);

/** The difference, coloured where one direction is better. */
function change(before, after, better) {
  const value = difference(before, after);
  if (!known(value)) return NONE;
  const look = value === 0 ? "muted" : better === 0 ? "" : Math.sign(value) === better ? "ok" : "bad";
  return h("span", { class: look }, signed(value, exact));
}

/** The kernel, after the one that was there before where it is another. */
function kernels({ old, now }) {
  if (!old || !now || old.kernel === now.kernel) return kernelCell((now ?? old).kernel);
  return h("div", { class: "replaced" }, kernelCell(old.kernel), h("span", { "aria-label": "became" }, "→"), kernelCell(now.kernel));
}
