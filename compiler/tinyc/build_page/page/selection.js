// The layer that all parts of the page point at, and moving among marks by the arrow keys.

const selection = { layer: null, watchers: [] };

/** Tell `watcher` of every layer that is selected: (index, what selected it). */
const onSelect = (watcher) => selection.watchers.push(watcher);

/** Select a layer by its index; `by` is the part of the page where it was done. */
function select(layer, by = "") {
  selection.layer = layer;
  selection.watchers.forEach((watcher) => watcher(layer, by));
}

/** One of `marks` can be reached by Tab, the others from it by arrow keys, Home and End; Enter is a click. */
function roving(marks) {
  const reach = (mark) => marks.forEach((one) => one.setAttribute("tabindex", one === mark ? "0" : "-1"));
  marks.forEach((mark, index) => {
    mark.addEventListener("focus", () => reach(mark));
    mark.addEventListener("keydown", (event) => {
      const last = marks.length - 1;
      const target = {
        ArrowRight: Math.min(index + 1, last), ArrowDown: Math.min(index + 1, last),
        ArrowLeft: Math.max(index - 1, 0), ArrowUp: Math.max(index - 1, 0), Home: 0, End: last,
      }[event.key];
      if (target !== undefined) marks[target].focus({ preventScroll: true });
      else if (event.key === "Enter" || event.key === " ") mark.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      else return;
      event.preventDefault();
    });
  });
  if (marks.length) reach(marks[0]);
}
