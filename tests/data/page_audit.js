// What is wrong with a page for people who cannot see it well, or use no mouse: a list of sentences.
() => {
  const problems = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (element) => (element.getAttribute("aria-label") ?? element.textContent ?? "").trim()
    || [...(element.labels ?? [])].map((label) => label.textContent.trim()).join(" ");
  const foreign = ".yasqe, .yasr";
  for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
    if (shown(element) && !element.closest(foreign) && !name(element)) problems.push("no name: " + element.outerHTML.slice(0, 120));
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push("id twice: " + id);
  if (document.querySelectorAll("h1").length !== 1) problems.push("not one h1");
  let before = 0;
  for (const element of document.querySelectorAll("h1, h2, h3")) {
    const level = Number(element.tagName[1]);
    if (level > before + 1) problems.push("a heading is skipped before " + element.textContent);
    before = level;
  }
  for (const table of document.querySelectorAll("main table")) {
    if (!table.closest(foreign) && (!table.caption || table.querySelector("th:not([scope])"))) problems.push("a table without caption or scopes");
  }
  if (!document.documentElement.lang || !document.title || !document.querySelector("main")) problems.push("no language, title or main");
  // Contrast of text with what is behind it (WCAG 2.2: 4.5, large text 3).
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgb("Canvas");
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(element) || !shown(element) || element.closest(".hidden, svg, option, :disabled, noscript, .disabled")) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const [a, b] = [light(rgb(style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 600) ? 3 : 4.5;
    if (ratio < least) problems.push(`contrast ${ratio.toFixed(2)}: ${element.className} ${element.textContent.slice(0, 40)}`);
  }
  for (const element of document.querySelectorAll("button, select, input, nav a")) {
    if (shown(element) && !element.closest(foreign) && element.getBoundingClientRect().height < 24) problems.push("small: " + element.outerHTML.slice(0, 100));
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push(`${document.documentElement.scrollWidth} wide`);
  return problems;
}
