// Puts the page together.

function figure(name, value, under) {
  return h("div", { class: "figure" }, h("span", { class: "label" }, name), h("strong", {}, value), under && h("span", { class: "under" }, under));
}

function overview(build) {
  const { board } = build;
  const time = milliseconds(build.cycles, board.clock_hz);
  return h("div", { class: "overview" },
    h("div", { class: "figures" },
      figure("Flash", bytes(build.flash), `${percent(build.flash / board.flash)} of ${bytes(board.flash)}`),
      figure("RAM", bytes(build.ram), `${percent(build.ram / board.ram)} of ${bytes(board.ram)}`),
      known(build.image) && figure("Model image", bytes(build.image)),
      figure("Arena", bytes(build.arena), build.arena > build.arena_lower_bound ? `${bytes(build.arena - build.arena_lower_bound)} above the least` : "the least possible"),
      figure("Weights", bytes(build.weights), "all constants"),
      figure("Work", `${rounded(build.macs)} MACs`, known(build.cycles) && build.macs > 0 && `${(build.cycles / build.macs).toFixed(2)} cycles/MAC`),
      known(time) && figure("One inference", duration(time), `${rounded(build.cycles)} cycles, ${build.costs === "counted" ? "estimated" : "predicted"}`)),
    facts([
      ["Board", `${board.title} (${board.soc}, ${board.core}, ${board.clock_hz / 1e6} MHz)`],
      ["Optimized for", build.optimize],
      ["Toolchain", build.toolchain],
      ["Stack", `${bytes(build.stack)} reserved${known(build.stack_bound) ? `, ${bytes(build.stack_bound)} can be needed` : ""}`],
      build.labels.length > 0 && ["Answers", build.labels.join(", ")],
    ].filter(Boolean)));
}

const { build, comparison } = JSON.parse(document.getElementById("data").textContent);
const graph = graphSection(build);
const sections = [
  comparisonSection(build, comparison), graph.element, layersSection(build), memorySection(build), sizesSection(build), billSection(build),
].filter(Boolean);
put(document.getElementById("content"), overview(build), sections);
put(document.getElementById("sections"), sections.map((one) => h("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)));
graph.start();
// The costliest layer is where one looks first.
const costs = build.layers.map((layer) => layer.cycles ?? layer.macs);
if (costs.length) select(costs.indexOf(Math.max(...costs)), "graph");
