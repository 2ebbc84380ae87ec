// Versions over the fleet: which run now, and which were deployed when.

import { get } from "./api.js";
import { columns, stacked } from "./chart.js";
import { h } from "./dom.js";
import { devices, fleetLink, number } from "./words.js";

export async function render(_, signal) {
  // The history of a very large fleet may take longer than a query may: the rest is shown without it.
  const history = get("/api/history", {}, signal).catch((error) => ({ months: [], problem: error.message }));
  const [stats, { months, problem }] = await Promise.all([get("/api/stats", {}, signal), history]);
  const running = stats.models
    .map((model) => ({ ...model, devices: model.versions.reduce((sum, one) => sum + one.devices, 0) }))
    .sort((a, b) => b.devices - a.devices);
  const most = Math.max(1, ...running.map((model) => model.devices));
  if (running.length === 0) {
    return h("div", {}, h("h1", {}, "Versions"), h("div", { class: "empty" }, h("p", {}, "No model is registered yet.")));
  }
  return h("div", {},
    h("h1", {}, "Versions"),
    h("section", {}, h("h2", {}, "Running now"),
      running.map((model) => h("div", { class: "chart" },
        h("h3", {}, fleetLink({ model: model.name }, model.name), h("span", { class: "muted" }, devices(model.devices))),
        stacked(model.versions, model.devices / most),
        h("ul", { class: "legend" }, model.versions.map((one, index) =>
          h("li", {}, h("span", { class: `key v${shade(index, model.versions.length)}`, "aria-hidden": "true" }),
            one.devices ? fleetLink({ model: model.name, version: one.version }, one.version) : one.version, ` ${number(one.devices)}`)))))),
    h("section", {}, h("h2", {}, "Deployed by month"),
      problem && h("p", { class: "problem words" }, problem),
      h("div", { class: "charts" }, running.map((model) => over(model, months.filter((one) => one.model?.name === model.name))))),
    h("div", { class: "columns" }, share("Boards", "board", stats.boards), share("Sites", "site", stats.sites)));
}

/** The newest version has the strongest colour: 5 of 0 to 5. */
export const shade = (index, count) => Math.max(0, 5 - (count - 1 - index));

function over(model, entries) {
  if (entries.length === 0) return null;
  const names = [...new Set(entries.map((one) => one.month))].sort();
  const order = [...new Map(model.versions.map((one) => [one.version, one])).keys()];
  const rows = names.map((month) => ({
    month,
    parts: order.map((version) => entries
      .filter((one) => one.month === month && one.model.version === version)
      .reduce((sum, one) => sum + one.deployments, 0)),
  }));
  return h("div", { class: "chart" }, h("h3", {}, model.name),
    columns(rows, order.map((_, index) => shade(index, order.length)), `Deployments of ${model.name} by month and version`),
    h("details", {}, h("summary", {}, "As a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Deployments of ${model.name}` },
        h("table", {}, h("caption", { class: "hidden" }, `Deployments of ${model.name} by month`),
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Month"), order.map((version) => h("th", { scope: "col", class: "number" }, version)))),
          h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.month), row.parts.map((count) => h("td", { class: "number" }, number(count))))))))));
}

function share(title, filter, entries) {
  if (entries.length === 0) return null;
  return h("section", {}, h("h2", {}, title), h("ul", { class: "bars" }, entries.slice(0, 20).map((one) =>
    h("li", {}, fleetLink({ [filter]: one.name }, one.name),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * one.devices) / entries[0].devices}%` } })),
      h("span", { class: "number" }, number(one.devices))))));
}
