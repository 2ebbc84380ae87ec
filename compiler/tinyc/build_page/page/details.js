// Everything about the selected layer.

function detailsPanel(build) {
  const tensors = new Map(build.tensors.map((tensor) => [tensor.name, tensor]));
  const panel = h("aside", { class: "panel", "aria-label": "Selected layer", id: "details" });

  const tensor = (name) => {
    const found = tensors.get(name);
    const place = found.offset === null ? "inside the layer" : `arena ${number(found.offset)} – ${number(found.offset + found.bytes)}`;
    const scale = found.scale === null ? "" : `, scale ${found.scale.toPrecision(4)}, zero point ${found.zero_point}`;
    return h("div", { class: "tensor" }, h("span", { class: "name" }, name),
      h("span", { class: "under" }, `${found.dtype} ${shape(found)} · ${bytes(found.bytes)} · ${place}${scale}`));
  };
  const options = (found) => Object.entries(found).map(([name, value]) => [name.replaceAll("_", " "), h("code", {}, value)]);

  function draw(index) {
    const layer = build.layers[index];
    const share = build.cycles ? layer.cycles / build.cycles : NaN;
    const to = (next, text) => h("button", { type: "button", class: "quiet", disabled: !build.layers[next], onclick: () => select(next, "details") }, text);
    put(panel,
      h("div", { class: "panel-head" },
        h("div", {}, h("p", { class: "over" }, `Layer ${layer.index} · ${layer.op}`), h("h3", {}, layer.name)),
        h("div", { class: "steps" }, to(index - 1, "← Previous"), to(index + 1, "Next →"))),
      facts([
        ["Kernel", h("code", {}, layer.kernel)],
        ["MACs", number(layer.macs)],
        ["Instructions", known(layer.instructions) && number(layer.instructions)],
        ["Cycles", known(layer.cycles) && `${number(layer.cycles)}${Number.isFinite(share) ? ` (${percent(share)})` : ""}`],
        ["Time", known(layer.cycles) && build.timed && `${duration(milliseconds(build, layer.cycles))} at ${build.board.clock_hz / 1e6} MHz`],
        ["Constants", bytes(layer.weights)],
        ["Scratch", bytes(layer.scratch)],
        ["Reads", layer.inputs.map(tensor)],
        ["Writes", layer.outputs.map(tensor)],
        ...options(layer.options),
      ]),
      layer.others.length > 0 && h("details", {},
        h("summary", {}, `${times(layer.others.length, "other kernel")} would do`),
        h("ul", { class: "others" }, layer.others.map((one) => h("li", {}, h("code", {}, one.kernel),
          h("span", { class: "under" }, [known(one.cycles) && `${number(one.cycles)} cycles predicted`, `scratch ${bytes(one.scratch)}`, `constants ${bytes(one.constants)}`].filter(Boolean).join(" · ")),
          h("span", { class: "under" }, one.reason))))),
      layer.parts.length > 0 && [
        h("h4", {}, `${layer.parts.length} layers in one`),
        h("ol", { class: "parts" }, layer.parts.map((part) => h("li", {},
          h("details", {},
            h("summary", {}, h("span", { class: "name" }, part.name), h("span", { class: "under" }, `${part.op} · ${rounded(part.macs)} MACs`)),
            facts([["Kernel", h("code", {}, part.kernel)], ["MACs", number(part.macs)],
              ["Writes", part.outputs.map(tensor)], ...options(part.options)]))))),
      ]);
  }
  onSelect(draw);
  return panel;
}
