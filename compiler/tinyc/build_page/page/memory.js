// The arena: time goes to the right, offsets go up; each rectangle is a buffer.

const KINDS = { input: "input", activation: "activations", output: "output", scratch: "scratch", front_end: "front end" };

function memorySection(build) {
  const info = h("p", { class: "info", id: "buffer", role: "status" });
  const view = h("div", { class: "plot", role: "group", "aria-label": "Buffers in the arena" });
  const slack = build.arena - build.arena_lower_bound;
  const hint = "Point at a buffer, or tap it, to read what it is.";
  let marks = [];
  let kept = null;
  const show = (buffer) => put(info, buffer ? bufferText(build, buffer) : hint);
  const mark = () => {
    marks.forEach(({ buffer, element }) => {
      const own = buffer.layers.includes(selection.layer);
      element.setAttribute("aria-pressed", String(buffer === kept));
      element.classList.toggle("own", own);
    });
    const band = view.querySelector(".band");
    if (band && selection.layer !== null) {
      band.setAttribute("x", band.dataset.left * 1 + (selection.layer + 1) * band.dataset.step);
    }
  };
  const draw = () => {
    const drawing = drawArena(build, roomFor(view));
    marks = drawing.marks;
    marks.forEach(({ buffer, element }) => {
      element.addEventListener("pointerenter", () => show(buffer));
      element.addEventListener("pointerleave", () => show(kept));
      element.addEventListener("focus", () => show(buffer));
      element.addEventListener("click", () => {
        kept = buffer;
        show(buffer);
        if (buffer.layers.length && !buffer.layers.includes(selection.layer)) select(buffer.layers[0], "memory");
        else mark();
      });
    });
    put(view, drawing.picture);
    roving(marks.map(({ element }) => element));
    mark();
  };
  show(null);
  new ResizeObserver(draw).observe(view);
  onSelect(mark);
  const kinds = [...new Set(build.buffers.map((buffer) => buffer.kind))];
  return section("memory", "Memory over time",
    `The arena has ${bytes(build.arena)}. ${slack ? `No plan for these kernels can do with less than ${bytes(build.arena_lower_bound)}.` : "No plan for these kernels can do with less."} `
      + "Each rectangle is a buffer: from left to right the layers during which it is alive, from bottom to top the bytes that it takes. The columns above are the bytes in use.",
    legend(Object.entries(KINDS).filter(([kind]) => kinds.includes(kind))), view, info);
}

function bufferText(build, buffer) {
  const step = (index) => (index < 0 ? "before the first layer" : index >= build.layers.length ? "the end" : `layer ${index} (${build.layers[index].name})`);
  const time = buffer.first === buffer.last ? `in ${step(buffer.first)}`.replace("in before", "before") : `from ${step(buffer.first)} to ${step(buffer.last)}`;
  const held = buffer.tensors.length > 1 ? ` It holds ${buffer.tensors.join(", ")}, one after the other.` : "";
  return [h("strong", {}, bufferName(build, buffer)), ` ${KINDS[buffer.kind]}, ${bytes(buffer.size)} at ${number(buffer.offset)} – ${number(buffer.offset + buffer.size)}, alive ${time}.${held}`];
}

const bufferName = (build, buffer) =>
  (buffer.kind === "scratch" ? `scratch of ${build.layers[buffer.first].name}` : buffer.kind === "front_end" ? "front end" : buffer.name);

function drawArena(build, width) {
  const [left, right, above, height, below] = [58, 8, 46, 320, 26];
  const steps = build.layers.length + 2;
  const step = (width - left - right) / steps;
  const most = Math.max(build.arena, 1);
  const x = (index) => left + (index + 1) * step;
  const y = (offset) => above + height * (1 - offset / most);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * most));
  const every = Math.ceil(30 / step);
  const named = [...build.layers.map((layer) => layer.index)].filter((index) => index % every === 0);
  const marks = build.buffers.map((buffer) => {
    const [from, to, low, high] = [x(buffer.first), x(buffer.last + 1), y(buffer.offset), y(buffer.offset + buffer.size)];
    const [w, t] = [to - from, low - high];
    const name = bufferName(build, buffer);
    return {
      buffer,
      element: s("g", { class: `buffer ${buffer.kind}`, role: "button", "aria-pressed": "false", "aria-label": `${name}, ${bytes(buffer.size)}` },
        s("rect", { x: from + 0.75, y: high + 0.5, width: Math.max(1, w - 1.5), height: Math.max(1, t - 1), rx: Math.min(3, t / 3) }),
        t >= 16 && s("text", { x: from + 6, y: Math.min(low - 5, high + 15) }, fitted(buffer.kind === "scratch" ? "scratch" : name, w - 11))),
    };
  });
  const peak = Math.max(...build.live);
  const picture = s("svg", { class: "arena", width, height: above + height + below, viewBox: `0 0 ${width} ${above + height + below}` },
    s("rect", { class: "band", x: -step, y: 0, width: step, height: above + height, "data-left": left, "data-step": step }),
    ticks.map((tick) => [
      s("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      s("text", { class: "axis", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
    ]),
    s("text", { class: "axis", x: left - 8, y: 24, "text-anchor": "end" }, "in use"),
    build.live.map((bytesInUse, place) => s("rect", {
      class: bytesInUse === peak ? "live peak" : "live",
      x: left + place * step + 0.75, width: Math.max(1, step - 1.5), y: 34 - 30 * (bytesInUse / most), height: Math.max(0, 30 * (bytesInUse / most)),
    }, s("title", {}, bytes(bytesInUse)))),
    marks.map(({ element }) => element),
    s("text", { class: "axis", x: left - 8, y: above + height + 17, "text-anchor": "end" }, "layer"),
    named.map((index) => s("text", { class: "axis", x: x(index) + step / 2, y: above + height + 17, "text-anchor": "middle" }, index)));
  return { picture, marks };
}
