// How numbers, sizes, times and states read.

import { h } from "./dom.js";
import { part } from "./api.js";

const NUMBER = new Intl.NumberFormat("en");
const DATE = new Intl.DateTimeFormat("en", { year: "numeric", month: "short", day: "numeric" });
const TIME = new Intl.DateTimeFormat("en", {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));
export const bytes = (value) => (value === null || value === undefined ? "–" : `${NUMBER.format(value)} B`);
export const percent = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(2)} %`);

export const devices = (count) => `${number(count)} ${count === 1 ? "device" : "devices"}`;

export function when(text, { time = false } = {}) {
  const moment = text ? new Date(text) : null;
  if (!moment || Number.isNaN(moment.getTime())) return text ?? "–";
  return h("time", { datetime: text, title: TIME.format(moment) }, (time ? TIME : DATE).format(moment));
}

export function ago(text) {
  const minutes = Math.round((Date.now() - new Date(text).getTime()) / 60000);
  if (!(minutes >= 0)) return "in the future";
  if (minutes < 2) return "just now";
  if (minutes < 120) return `${minutes} minutes ago`;
  if (minutes < 2880) return `${Math.round(minutes / 60)} hours ago`;
  return `${number(Math.round(minutes / 1440))} days ago`;
}

export const short = (digest) => (digest ? String(digest).slice(0, 12) : "–");

/** A digest: its start in sight, all of it to copy. */
export const digest = (text) =>
  text ? h("code", { title: text, class: "digest" }, short(text)) : "–";

export const badge = (kind, text) => h("span", { class: `badge ${kind}` }, text);

/** The states of a device that matter, the worst first. */
export function states(device) {
  const found = [];
  if (device.missing_since) found.push(badge("bad", "missing"));
  if (device.drift === "drifted") found.push(badge("bad", "drifted"));
  if (device.firmware && !device.firmware.known) found.push(badge("warn", "unknown firmware"));
  if (device.model?.recalled) found.push(badge("bad", "recalled model"));
  if (device.drift === "warning") found.push(badge("warn", "drift warning"));
  if (device.verified === false) found.push(badge("warn", "not verified"));
  if (device.verified === true) found.push(badge("ok", "verified"));
  return found;
}

export const deviceLink = (device) =>
  h("a", { href: `#/device/${part(device.id)}`, class: "mono" }, device.chip ?? device.id);

export function modelLink(model, { version = true } = {}) {
  if (!model) return "–";
  const text = version && model.version ? `${model.name} ${model.version}` : model.name;
  return h("a", { href: `#/model/${part(model.id)}` }, text);
}

export const fleetLink = (filters, text) => h("a", { href: `#/devices?${new URLSearchParams(filters)}` }, text);

/** A list of terms and values. */
export const facts = (pairs) =>
  h("dl", { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

/** A table whose rows become cards where it is narrow. Columns: [head, cell, {numeric}]. */
export function table(caption, columns, rows, { cards = true } = {}) {
  const numeric = (options) => (options?.numeric ? "number" : undefined);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: cards ? "cards" : undefined },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([head, , options]) =>
        h("th", { scope: "col", class: numeric(options) }, head)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([head, cell, options]) =>
        h("td", { "data-label": head, class: numeric(options) }, cell(row))))))));
}
