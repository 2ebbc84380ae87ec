// All models with their versions.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, fleetLink, modelLink, number, table } from "./words.js";

export async function render(_, signal) {
  const { models } = await get("/api/models", {}, signal);
  if (models.length === 0) {
    return h("div", {}, h("h1", {}, "Models"), h("div", { class: "empty" },
      h("p", {}, "No model is registered yet. ", h("code", {}, "tinyc build"), " registers what it builds.")));
  }
  const rows = models.flatMap((model) => [...model.versions].reverse());
  return h("div", {}, h("h1", {}, "Models"),
    table("Models and their versions", [
      ["Model", (one) => modelLink(one, { version: false })],
      ["Version", (one) => h("span", { class: "badges" }, one.version, one.recalled && badge("bad", "recalled"))],
      ["Devices", (one) => (one.devices ? fleetLink({ model: one.name, version: one.version }, number(one.devices)) : "0"), { numeric: true }],
    ], rows));
}
