// One device: what it runs and since when, its memory, its health, what it learned, where all that came from.

import { get, part } from "./api.js";
import { h } from "./dom.js";
import { lineage } from "./graph.js";
import { ago, badge, bytes, digest, facts, fleetLink, modelLink, number, percent, states, table, when } from "./words.js";

export async function render({ id }, signal) {
  const device = await get(`/api/devices/${part(id)}`, {}, signal);
  return h("article", {},
    h("p", { class: "over" }, h("a", { href: "#/devices" }, "Fleet"), " / ",
      fleetLink({ board: device.board?.name ?? "" }, device.board?.title ?? "board")),
    h("h1", {}, h("span", { class: "mono" }, device.chip ?? device.id)),
    h("p", { class: "badges" }, states(device)),
    h("div", { class: "columns" },
      h("section", {}, h("h2", {}, "Now"), facts([
        ["Model", device.model ? modelLink(device.model) : "unknown"],
        ["Firmware", device.firmware && h("span", {}, digest(device.firmware.identity),
          device.firmware.known ? "" : " (not built here)")],
        ["Since", when(device.since, { time: true })],
        ["Site", device.site && fleetLink({ site: device.site }, device.site)],
        ["Drift", device.drift],
        ["Missing since", device.missing_since && when(device.missing_since, { time: true })],
      ])),
      h("section", {}, h("h2", {}, "Memory"), memory(device.memory)),
      h("section", {}, h("h2", {}, "Health"), health(device.health))),
    device.lineage && h("section", {}, h("h2", {}, "Lineage"), lineage(device.lineage, "Where this device's model came from")),
    h("section", {}, h("h2", {}, "History"), history(device.history)),
    device.learned.length > 0 && h("section", {}, h("h2", {}, "Learned on the device"), learned(device.learned)));
}

function memory({ board, budget, free_flash, free_ram }) {
  if (!board) return h("p", { class: "muted" }, "The registry does not know this board's sizes.");
  if (!budget) return h("p", { class: "muted" },
    `Flash ${bytes(board.flash)}, RAM ${bytes(board.ram)}. What the firmware takes is not known.`);
  return h("div", {},
    bar("Flash", board.flash, [["weights", budget.weightBytes], ["code", budget.flash - budget.weightBytes]], free_flash),
    bar("RAM", board.ram, [["arena", budget.arena], ["other data", budget.ram - budget.arena], ["stack", budget.stack]], free_ram));
}

/** A bar of parts of a whole; the same in words below it. */
function bar(name, whole, parts, free) {
  const known = parts.filter(([, size]) => size > 0);
  return h("div", { class: "memory" },
    h("p", {}, h("strong", {}, name), ` ${bytes(free)} free of ${bytes(whole)}`),
    h("div", { class: "bar", "aria-hidden": "true" }, known.map(([, size], index) =>
      h("span", { class: `part${index}`, style: { width: `${Math.max(0.5, (100 * size) / whole)}%` } }))),
    h("ul", { class: "legend" }, known.map(([part_, size], index) =>
      h("li", {}, h("span", { class: `key part${index}`, "aria-hidden": "true" }), `${part_} ${bytes(size)}`))));
}

function health(beat) {
  if (!beat) return h("p", { class: "muted" }, "No heartbeat yet. ", h("code", {}, "tinyc registry sync"), " asks devices for one.");
  return facts([
    ["Last seen", beat.last_seen && h("span", {}, when(beat.last_seen, { time: true }), ` · ${ago(beat.last_seen)}`)],
    ["Free RAM", beat.free_ram === null ? null : bytes(beat.free_ram)],
    ["Uptime", beat.uptime === null ? null : `${number(Math.round(beat.uptime / 3600))} h`],
    ["Inferences", beat.inferences === null ? null : number(beat.inferences)],
    ["Errors", beat.errors === null ? null : number(beat.errors)],
    ["Clock", beat.clock_wrong && badge("warn", "its clock is wrong")],
  ]);
}

const history = (deployments) =>
  deployments.length === 0
    ? h("p", { class: "muted" }, "Nothing was deployed to this device.")
    : table("Deployments, newest first", [
      ["At", (one) => when(one.at, { time: true })],
      ["Model", (one) => (one.model ? modelLink(one.model) : h("span", { class: "muted" }, "unknown"))],
      ["Firmware", (one) => digest(one.firmware?.identity)],
      ["How", (one) => (one.method === "found" ? "found by sync" : one.method)],
      ["State", (one) => h("span", { class: "badges" }, one.current && badge("plain", "current"),
        one.verified ? badge("ok", "verified") : badge("warn", "not verified"))],
    ], deployments);

const learned = (steps) => table("Learned states, newest first", [
  ["Number", (one) => number(one.sequence)],
  ["At", (one) => when(one.at, { time: true })],
  ["Updates", (one) => number(one.updates), { numeric: true }],
  ["Guard before", (one) => percent(one.before), { numeric: true }],
  ["Guard after", (one) => percent(one.after), { numeric: true }],
  ["Samples", (one) => number(one.samples), { numeric: true }],
  ["Digest", (one) => digest(one.digest)],
], steps);
