// One version of a model: what it is, what quantization cost, its builds, where it runs, its family.

import { get, part } from "./api.js";
import { h } from "./dom.js";
import { lineage } from "./graph.js";
import { badge, bytes, devices, digest, facts, fleetLink, modelLink, number, percent, table, when } from "./words.js";

export async function render({ id }, signal) {
  const model = await get(`/api/models/${part(id)}`, {}, signal);
  const others = model.versions.filter((one) => one.id !== model.id);
  return h("article", {},
    h("p", { class: "over" }, h("a", { href: "#/models" }, "Models")),
    h("h1", {}, `${model.name} ${model.version ?? ""}`),
    h("p", { class: "badges" }, model.recalled && badge("bad", "recalled"), badge("plain", devices(model.runs.devices))),
    h("div", { class: "columns" },
      h("section", {}, h("h2", {}, "Model"), facts([
        ["Digest", digest(model.digest)],
        ["Precision", model.precision],
        ["Parameters", model.parameters === null ? null : number(model.parameters)],
        ["Weights", model.weightBytes === null ? null : bytes(model.weightBytes)],
        ["Multiply-adds", model.macs === null ? null : number(model.macs)],
        ["Input", shape(model.inputShape, model.inputType)],
        ["Output", shape(model.outputShape)],
        ["Labels", model.labels.length > 0 && model.labels.join(", ")],
      ])),
      h("section", {}, h("h2", {}, "Quantization bill"), bill(model)),
      h("section", {}, h("h2", {}, "Where it runs"), runs(model))),
    h("section", {}, h("h2", {}, "Lineage"), lineage(model.lineage, `Where ${model.name} ${model.version} came from, and what came of it`),
      model.lineage.cut && h("p", { class: "muted" }, "The family is larger than what is drawn here.")),
    h("section", {}, h("h2", {}, "Builds"), builds(model.firmware)),
    others.length > 0 && h("section", {}, h("h2", {}, "Other versions"),
      h("ul", { class: "plain" }, others.map((one) => h("li", {}, modelLink(one), ` · ${devices(one.devices)}`)))));
}

const shape = (text, kind) => text && `${text.split(",").join(" × ")}${kind ? ` (${kind})` : ""}`;

function bill({ bill: found, evaluations }) {
  if (!found && evaluations.length === 0) return h("p", { class: "muted" }, "No bill is registered for this model.");
  const rows = found ? [
    ["Accuracy before", percent(found.floatAccuracy)],
    ["Accuracy after", percent(found.accuracy)],
    ["Accuracy lost", found.accuracyLost === null ? null : `${(found.accuracyLost * 100).toFixed(2)} points`],
    ["Signal to noise", found.sqnrDb === null ? null : `${found.sqnrDb.toFixed(1)} dB`],
    ["Samples", number(found.samples)],
  ] : [];
  const measured = evaluations.map((one) => [
    one.measure === "TopOneAccuracy" ? "Top-1 accuracy" : one.measure,
    one.dataset ? `${percent(one.value)} on ${one.dataset}` : percent(one.value)]);
  return h("div", {}, facts([...rows, ...measured]),
    found?.layers.length > 0 && h("details", {}, h("summary", {}, "Layer by layer, the noisiest first"),
      table("Layers", [
        ["Layer", (one) => one.name], ["Kind", (one) => one.kind],
        ["Signal to noise", (one) => (one.sqnr === null ? "–" : `${one.sqnr.toFixed(1)} dB`), { numeric: true }],
      ], found.layers)));
}

function runs(model) {
  const { runs: found } = model;
  if (found.devices === 0) return h("p", { class: "muted" }, "On no device.");
  const base = { model: model.name, version: model.version };
  return h("div", {},
    h("p", {}, fleetLink(base, devices(found.devices)),
      found.drift.drifted > 0 && [" · ", fleetLink({ ...base, drift: "drifted" }, `${number(found.drift.drifted)} drifted`)],
      found.drift.warning > 0 && [" · ", fleetLink({ ...base, drift: "warning" }, `${number(found.drift.warning)} with a warning`)]),
    h("ul", { class: "bars" }, found.sites.slice(0, 12).map((site) =>
      h("li", {}, fleetLink({ ...base, site: site.name }, site.name), h("span", { class: "track", "aria-hidden": "true" },
        h("span", { style: { width: `${(100 * site.devices) / found.sites[0].devices}%` } })), h("span", { class: "number" }, number(site.devices))))));
}

const builds = (firmware) =>
  firmware.length === 0
    ? h("p", { class: "muted" }, "No firmware with this model is registered.")
    : table("Firmware with this model", [
      ["Firmware", (one) => digest(one.identity)],
      ["Board", (one) => one.board?.title ?? "–"],
      ["Compiler", (one) => (one.compiler ? `tinyc ${one.compiler}` : "–")],
      ["Built", (one) => when(one.at)],
      ["Flash", (one) => bytes(one.budget?.flash), { numeric: true }],
      ["RAM", (one) => bytes(one.budget?.ram), { numeric: true }],
      ["Free flash", (one) => bytes(one.free_flash), { numeric: true }],
      ["Devices", (one) => number(one.devices), { numeric: true }],
    ], firmware);
