// A lineage as a drawing: what came first on the left (or on top, where it is narrow), arrows to what came of it.

import { h, s } from "./dom.js";
import { part } from "./api.js";

const [WIDTH, HEIGHT] = [164, 54];
const [GAP_X, GAP_Y] = [76, 22];
const KINDS = { source: "source file", model: "model", firmware: "firmware", device: "device", state: "learned state", other: "source" };

export function lineage(graph, label) {
  const box = h("div", { class: "lineage scroll", tabindex: "0", role: "region", "aria-label": label });
  const draw = () => box.replaceChildren(drawing(graph, label, box.clientWidth || 800));
  // Its width is known once it is in the page.
  new ResizeObserver(draw).observe(box);
  draw();
  return h("div", {}, box, words(graph));
}

/** The same as a list, for those who do not see the drawing. */
function words(graph) {
  const name = new Map(graph.nodes.map((node) => [node.iri, `${KINDS[node.kind]} ${node.label} ${node.detail ?? ""}`]));
  return h("ul", { class: "hidden" }, graph.edges.map((edge) =>
    h("li", {}, `${name.get(edge.to)}, ${edge.relation ?? "derived"} from ${name.get(edge.from)}`)));
}

function drawing(graph, label, available) {
  const layers = layout(graph);
  const deepest = Math.max(...layers.map((layer) => layer.length));
  const across = layers.length * WIDTH + (layers.length - 1) * GAP_X + 4;
  const down = across > available;
  const place = new Map();
  const span = deepest * ((down ? WIDTH : HEIGHT) + GAP_Y) - GAP_Y;
  layers.forEach((layer, level) => {
    const size = (down ? WIDTH : HEIGHT) + GAP_Y;
    const start = (span - (layer.length * size - GAP_Y)) / 2;
    layer.forEach((node, index) => {
      place.set(node.iri, down
        ? { x: 2 + start + index * size, y: 2 + level * (HEIGHT + 44) }
        : { x: 2 + level * (WIDTH + GAP_X), y: 2 + start + index * size });
    });
  });
  const width = down ? span + 4 : across;
  const height = down ? layers.length * (HEIGHT + 44) - 44 + 4 : span + 4;
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label },
    s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
      s("path", { d: "M0 0L8 4L0 8z", class: "head" }))),
    graph.edges.map((edge) => arrow(edge, place.get(edge.from), place.get(edge.to), down)),
    layers.flat().map((node) => box(node, place.get(node.iri), node.iri === graph.focus)));
}

function arrow(edge, from, to, down) {
  const [x1, y1] = down ? [from.x + WIDTH / 2, from.y + HEIGHT] : [from.x + WIDTH, from.y + HEIGHT / 2];
  const [x2, y2] = down ? [to.x + WIDTH / 2, to.y] : [to.x, to.y + HEIGHT / 2];
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const path = down ? `M${x1} ${y1}C${x1} ${my} ${x2} ${my} ${x2} ${y2}` : `M${x1} ${y1}C${mx} ${y1} ${mx} ${y2} ${x2} ${y2}`;
  return [
    s("path", { d: path, class: "edge", "marker-end": "url(#arrow)" }),
    edge.relation && s("text", { x: down ? mx + 8 : mx, y: down ? my + 4 : my - 6, class: "relation", "text-anchor": down ? "start" : "middle" }, edge.relation),
  ];
}

function box(node, { x, y }, focus) {
  const href = focus ? null : node.kind === "model" ? `#/model/${part(node.id)}` : null;
  const detail = [node.detail, node.devices ? `on ${node.devices.toLocaleString("en")}` : ""].filter(Boolean).join(" · ");
  const content = [
    s("title", {}, `${KINDS[node.kind]}: ${node.label} ${node.detail ?? ""}`),
    s("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 6 }),
    s("text", { x: x + 12, y: y + 22, class: "name" }, clip(node.label ?? "", 18)),
    s("text", { x: x + 12, y: y + 41, class: "detail" }, clip(detail, 20)),
  ];
  const look = `node ${node.kind}${focus ? " focus" : ""}${node.recalled ? " recalled" : ""}`;
  return href ? s("a", { href, class: look }, content) : s("g", { class: look, "aria-current": focus ? "true" : undefined }, content);
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Layers by the longest way from a source; inside a layer, near to their parents. */
function layout({ nodes, edges }) {
  const level = new Map(nodes.map((node) => [node.iri, 0]));
  // So many rounds settle any graph without a cycle, and end one with.
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of edges) {
      if (level.get(to) < level.get(from) + 1 && level.get(from) + 1 < nodes.length) {
        level.set(to, level.get(from) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  const layers = [];
  for (const node of nodes) (layers[level.get(node.iri)] ??= []).push(node);
  const full = layers.filter(Boolean);
  const position = new Map();
  for (const layer of full) {
    const centre = (node) => {
      const parents = edges.filter((edge) => edge.to === node.iri && position.has(edge.from)).map((edge) => position.get(edge.from));
      return parents.length ? parents.reduce((sum, one) => sum + one, 0) / parents.length : 0;
    };
    layer.sort((a, b) => centre(a) - centre(b) || (a.label ?? "").localeCompare(b.label ?? ""));
    layer.forEach((node, index) => position.set(node.iri, index - (layer.length - 1) / 2));
  }
  return full;
}
