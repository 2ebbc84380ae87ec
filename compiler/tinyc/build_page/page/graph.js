// The model as a graph: laid out by dagre, moved and zoomed by Panzoom.

const NODE = { width: 232, height: 62 };
// Layers inside others have no bar.
const PLAIN = 48;
const READABLE = 0.8;

function graphSection(build) {
  const fused = build.layers.some((layer) => layer.parts.length > 0);
  const view = h("div", { class: "canvas", role: "group", "aria-label": "Graph of the model" });
  let drawing = null;
  const redraw = (parts) => { drawing = drawGraph(view, build, parts); drawing.mark(selection.layer); };
  const tool = (text, label, action) => h("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
  const tools = h("div", { class: "tools" },
    fused && h("label", { class: "switch" },
      h("input", { type: "checkbox", id: "parts", onchange: (event) => redraw(event.target.checked) }), "Layers inside blocks"),
    h("span", { class: "group" },
      tool("−", "Zoom out", () => drawing.zoom(1 / 1.3)), tool("+", "Zoom in", () => drawing.zoom(1.3)),
      tool("Fit", "Show all of it", () => drawing.fit())));
  onSelect((layer, by) => { drawing.mark(layer); if (by !== "graph") drawing.reveal(layer); });
  return {
    element: section("model", "Model", "Drag to move, pinch or Ctrl + wheel to zoom, arrow keys go from layer to layer. The bar in a layer is its part of the cycles.",
      h("div", { class: "split" }, h("div", { class: "graph" }, tools, view), detailsPanel(build))),
    // Its size is known once it is in the page.
    start: () => redraw(false),
  };
}

/** Nodes and edges: of the program's layers, or of those inside fused ones too. */
function network(build, inside) {
  const tensors = new Map(build.tensors.map((tensor) => [tensor.name, tensor]));
  const units = build.layers.flatMap((layer) => {
    const parts = inside && layer.parts.length ? layer.parts : [layer];
    return parts.map((part, place) => ({ ...part, layer: layer.index, id: `${layer.index}.${place}`, share: part === layer && build.cycles ? layer.cycles / build.cycles : null }));
  });
  const nodes = [
    ...build.inputs.map((name) => ({ id: `in:${name}`, end: true, name, text: shape(tensors.get(name)), made: [name], read: [] })),
    ...units.map((unit) => ({
      id: unit.id, layer: unit.layer, name: unit.name, op: unit.op, share: unit.share,
      text: `${unit.op} · ${shape(tensors.get(unit.outputs[0]))}`, made: unit.outputs, read: unit.inputs,
    })),
    ...build.outputs.map((name) => ({ id: `out:${name}`, end: true, name, text: shape(tensors.get(name)), made: [], read: [name] })),
  ];
  const maker = new Map(nodes.flatMap((node) => node.made.map((name) => [name, node.id])));
  const edges = nodes.flatMap((node) => [...new Set(node.read)].map((name) => ({ from: maker.get(name), to: node.id, name })));
  return { nodes, edges: edges.filter((edge) => edge.from !== undefined) };
}

function layOut({ nodes, edges }) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 34, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  nodes.forEach((node) => graph.setNode(node.id, { width: node.end ? 150 : NODE.width, height: node.end ? 40 : known(node.share) ? NODE.height : PLAIN }));
  edges.forEach((edge) => graph.setEdge(edge.from, edge.to, {}, edge.name));
  dagre.layout(graph);
  return graph;
}

function drawGraph(view, build, inside) {
  const { nodes, edges } = network(build, inside);
  const graph = layOut({ nodes, edges });
  const { width, height } = graph.graph();
  const marks = nodes.map((node) => nodeMark(node, graph.node(node.id)));
  const picture = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "network" },
    s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      s("path", { d: "M0 0L8 4L0 8z" }))),
    edges.map((edge) => s("path", { class: "edge", d: curve(graph.edge(edge.from, edge.to, edge.name).points), "marker-end": "url(#arrow)" })),
    marks);
  put(view, picture);
  const chosen = nodes.map((node, place) => ({ node, mark: marks[place] })).filter(({ node }) => !node.end);
  roving(chosen.map(({ mark }) => mark));

  const middle = (scale) => ({ x: (view.clientWidth / scale - width) / 2, y: Math.max(0, (view.clientHeight / scale - height) / 2) });
  const whole = Math.min(view.clientWidth / width, view.clientHeight / height, 1);
  // At first as much as can be read, from the top.
  const startScale = Math.max(READABLE, whole);
  const start = middle(startScale);
  const pan = Panzoom(picture, {
    canvas: true, origin: "0 0", minScale: Math.min(0.1, whole), maxScale: 3, step: 0.25, cursor: "grab",
    startScale, startX: start.x, startY: start.y,
  });
  view.onwheel = (event) => { if (event.ctrlKey || event.metaKey) pan.zoomWithWheel(event); };
  const api = {
    fit() {
      const { x, y } = middle(whole);
      pan.zoom(whole);
      pan.pan(x, y, { force: true });
    },
    zoom(factor) {
      const box = view.getBoundingClientRect();
      pan.zoomToPoint(pan.getScale() * factor, { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 });
    },
    reveal(layer) {
      const found = nodes.find((node) => node.layer === layer);
      if (found) bring(found);
    },
    mark(layer) {
      chosen.forEach(({ node, mark }) => mark.setAttribute("aria-pressed", String(node.layer === layer)));
    },
  };
  function bring(node) {
    const at = graph.node(node.id);
    const [scale, { x, y }] = [pan.getScale(), pan.getPan()];
    const [left, top] = [(x + at.x - NODE.width / 2) * scale, (y + at.y - NODE.height / 2) * scale];
    const seen = left >= 0 && top >= 0 && left + NODE.width * scale <= view.clientWidth && top + NODE.height * scale <= view.clientHeight;
    if (!seen) pan.pan(view.clientWidth / 2 / scale - at.x, view.clientHeight / 2 / scale - at.y, { force: true });
  }
  let pressed = null;
  view.onpointerdown = (event) => { pressed = [event.clientX, event.clientY]; };
  chosen.forEach(({ node, mark }) => {
    mark.addEventListener("focus", () => { view.scrollTo(0, 0); bring(node); });
    mark.addEventListener("click", (event) => {
      // The end of a drag is no click.
      const moved = event.detail && pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 5;
      if (!moved) select(node.layer, "graph");
    });
  });
  return api;
}

function nodeMark(node, { x, y, width, height }) {
  const [left, top] = [x - width / 2, y - height / 2];
  if (node.end) {
    return s("g", { class: "end" }, s("title", {}, `${node.name}: ${node.text}`),
      s("rect", { x: left, y: top, width, height, rx: height / 2 }),
      s("text", { x, y: y - 2, "text-anchor": "middle", class: "name" }, fitted(node.name, width - 20, 13, 600)),
      s("text", { x, y: y + 12, "text-anchor": "middle", class: "detail" }, node.text));
  }
  const most = width - 24;
  return s("g", { class: "node", role: "button", "aria-pressed": "false", "aria-label": `${node.name}, ${node.text}` },
    s("title", {}, `${node.name}: ${node.text}`),
    s("rect", { class: "box", x: left, y: top, width, height, rx: 7 }),
    s("text", { x: left + 12, y: top + 22, class: "name" }, fitted(node.name, most, 13, 600)),
    s("text", { x: left + 12, y: top + 39, class: "detail" }, fitted(node.text, most, 11)),
    known(node.share) && [
      s("rect", { class: "share-ground", x: left + 12, y: top + 49, width: most, height: 4, rx: 2 }),
      s("rect", { class: "share", x: left + 12, y: top + 49, width: Math.max(2, most * node.share), height: 4, rx: 2 }),
    ]);
}

/** A smooth line through the points that dagre gives. */
function curve([first, ...rest]) {
  let path = `M${first.x} ${first.y}`;
  for (let index = 0; index < rest.length - 1; index += 1) {
    const [point, next] = [rest[index], rest[index + 1]];
    const last = index === rest.length - 2;
    path += `Q${point.x} ${point.y} ${last ? next.x : (point.x + next.x) / 2} ${last ? next.y : (point.y + next.y) / 2}`;
  }
  return rest.length > 1 ? path : `${path}L${rest[0].x} ${rest[0].y}`;
}
