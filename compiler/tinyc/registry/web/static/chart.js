// Small charts. Beside each stands a list or a table with the same numbers, so the drawings are for eyes only.

import { s } from "./dom.js";
import { shade } from "./versions.js";

/** One bar of versions, as long as `part` of the width. */
export function stacked(versions, part) {
  const total = versions.reduce((sum, one) => sum + one.devices, 0) || 1;
  let x = 0;
  return s("svg", { class: "stacked", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "ground", x: 0, y: 0, width: 100, height: 4 }),
    versions.map((one, index) => {
      const width = (100 * part * one.devices) / total;
      const rect = s("rect", { class: `v${shade(index, versions.length)}`, x, y: 0, width, height: 4 },
        s("title", {}, `${one.version}: ${one.devices}`));
      x += width;
      return rect;
    }));
}

/** Columns by month, each of parts. */
export function columns(rows, shades, label) {
  const [width, height, bottom, left] = [Math.max(320, rows.length * 56 + 60), 180, 24, 44];
  const most = Math.max(1, ...rows.map((row) => row.parts.reduce((sum, one) => sum + one, 0)));
  const top = nice(most);
  const y = (value) => 8 + (height - bottom - 8) * (1 - value / top);
  const step = (width - left) / rows.length;
  return s("svg", { class: "columns-chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    [0, top / 2, top].map((value) => [
      s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
      s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, Math.round(value).toLocaleString("en")),
    ]),
    rows.map((row, index) => {
      let sum = 0;
      const x = left + step * index + step * 0.2;
      return [
        row.parts.map((count, place) => {
          if (!count) return null;
          sum += count;
          return s("rect", { class: `v${shades[place]}`, x, y: y(sum), width: Math.min(40, step * 0.6), height: Math.max(0.5, y(sum - count) - y(sum)) },
            s("title", {}, `${row.month}: ${count}`));
        }),
        s("text", { x: x + Math.min(40, step * 0.6) / 2, y: height - 6, "text-anchor": "middle" }, monthName(row.month)),
      ];
    }));
}

const MONTH = new Intl.DateTimeFormat("en", { month: "short", year: "2-digit", timeZone: "UTC" });

function monthName(month) {
  const start = new Date(`${month}-01T00:00:00Z`);
  return Number.isNaN(start.getTime()) ? month : MONTH.format(start).replace(" ", " ’");
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value);
  return Math.max(2, found * power);
}
