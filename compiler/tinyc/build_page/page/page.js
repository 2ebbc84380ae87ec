// Puts the page together.

function figure(name, value, under, delta) {
  return h("div", { class: "figure" }, h("span", { class: "label" }, name), h("strong", {}, value), under && h("span", { class: "under" }, under), delta);
}

function overview(build, comparison) {
  const { board } = build;
  const changes = new Map((comparison?.totals ?? []).map((one) => [one.name, one]));
  const delta = (name) => {
    const one = changes.get(name);
    return one && known(one.before) && known(one.after) && one.before !== one.after
      && h("span", { class: "under" }, change(one.before, one.after, one.better), one.unit && ` ${one.unit}`);
  };
  const time = milliseconds(build, build.cycles);
  return h("div", { class: "overview" },
    h("div", { class: "figures" },
      figure("Flash", bytes(build.flash), `${percent(build.flash / board.flash)} of ${bytes(board.flash)}`, delta("Flash")),
      figure("RAM", bytes(build.ram), `${percent(build.ram / board.ram)} of ${bytes(board.ram)}`, delta("RAM")),
      known(build.image) && figure("Model image", bytes(build.image)),
      figure("Arena", bytes(build.arena), build.arena > build.arena_lower_bound ? `${bytes(build.arena - build.arena_lower_bound)} above the least` : "the least for these kernels", delta("Arena")),
      figure("Weights", bytes(build.weights), "all constants", delta("Weights")),
      figure("Work", `${rounded(build.macs)} MACs`, known(build.cycles) && build.macs > 0 && `${(build.cycles / build.macs).toFixed(2)} cycles/MAC`, delta("MACs")),
      known(time) && figure("One inference", duration(time), `${rounded(build.cycles)} cycles, ${build.costs === "counted" ? "estimated" : "predicted"}`, delta("Time")),
      known(build.cycles) && !build.timed && figure("Predicted work", `${rounded(build.cycles)} cycles`, `of a ${build.cycles_of}`, delta("Cycles"))),
    facts([
      ["Board", board.core === "host" ? board.title : `${board.title} · ${board.soc}, ${board.core}, ${board.clock_hz / 1e6} MHz`],
      ["Optimized for", build.optimize],
      ["Toolchain", build.toolchain],
      ["Stack", `${bytes(build.stack)} reserved${known(build.stack_bound) ? `, ${bytes(build.stack_bound)} can be needed` : ""}`],
      ...Object.entries(build.extras),
      build.labels.length > 0 && ["Answers", build.labels.join(", ")],
    ].filter(Boolean)));
}

// What the sections are called above the page.
const NAMES = {
  comparison: "Compared", model: "Model", layers: "Layers", tradeoff: "Trade-off", memory: "Memory", sizes: "Sizes", quantization: "Quantization",
};

const { build, comparison } = JSON.parse(document.getElementById("data").textContent);
const graph = graphSection(build);
const sections = [
  comparisonSection(build, comparison), graph.element, layersSection(build), tradeoffSection(build), memorySection(build), sizesSection(build), billSection(build),
].filter(Boolean);
put(document.getElementById("content"), overview(build, comparison), sections);
put(document.getElementById("sections"), sections.map((one) => h("a", { href: `#${one.id}` }, NAMES[one.id])));
graph.start();
// The costliest layer is where one looks first.
const costs = build.layers.map((layer) => layer.cycles ?? layer.macs);
if (costs.length) select(costs.indexOf(Math.max(...costs)), "graph");
