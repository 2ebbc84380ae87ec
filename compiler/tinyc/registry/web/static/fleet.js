// The fleet: figures, filters, and a table of devices that grows on demand.

import { get } from "./api.js";
import { h, put, say } from "./dom.js";
import { badge, devices, deviceLink, fleetLink, modelLink, number, states, table, when } from "./words.js";

const FILTERS = ["text", "board", "model", "version", "site", "drift", "state"];
const STATES = {
  present: "Answering", missing: "Missing", verified: "Verified", unverified: "Not verified",
  unknown: "Unknown firmware",
};
const DRIFTS = { stable: "Stable", warning: "Warning", drifted: "Drifted" };

export async function render({ parameters }, signal) {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? ""]));
  const overview = h("div", { class: "overview" });
  const results = h("div", { class: "results" });
  // Figures over a large fleet take longer than the first devices of it: neither waits for the other.
  get("/api/stats", {}, signal).then(
    (stats) => put(overview, figures(stats), filters(stats, chosen, () => load(results, chosen, signal))),
    (error) => error.name !== "AbortError" && put(overview, h("p", { class: "problem", role: "alert" }, error.message)));
  await load(results, chosen, signal);
  return h("div", {}, h("h1", {}, "Fleet"), overview, results);
}

function figures(stats) {
  const figure = (count, text, filters, kind) =>
    h("li", {}, h("a", { href: `#/devices?${new URLSearchParams(filters)}`, class: count ? kind : "" },
      h("strong", {}, number(count)), h("span", {}, text)));
  return h("ul", { class: "figures" },
    figure(stats.devices, stats.devices === 1 ? "device" : "devices", {}, ""),
    figure(stats.verified, "verified", { state: "verified" }, ""),
    figure(stats.unverified, "not verified", { state: "unverified" }, "warn"),
    figure(stats.drift.drifted, "drifted", { drift: "drifted" }, "bad"),
    figure(stats.missing, "missing", { state: "missing" }, "bad"),
    figure(stats.unknown, "unknown firmware", { state: "unknown" }, "warn"));
}

function filters(stats, chosen, changed) {
  const models = Object.fromEntries(stats.models.map((model) => [model.name, model.name]));
  const names = (entries) => Object.fromEntries(entries.map((entry) => [entry.name, entry.name]));
  const version = h("select", { id: "filter-version" });

  function update() {
    const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
    history.replaceState(null, "", query.size ? `#/devices?${query}` : "#/devices");
    clear.hidden = !query.size;
    changed();
  }
  function fill(select, options, value, any) {
    put(select, h("option", { value: "" }, any),
      Object.entries(options).map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
    if (value && !(value in options)) select.append(h("option", { value, selected: true }, value));
  }
  function versions() {
    const of = stats.models.find((model) => model.name === chosen.model);
    const known = of ? of.versions : stats.models.flatMap((model) => model.versions);
    const unique = [...new Set(known.map((entry) => entry.version))];
    fill(version, Object.fromEntries(unique.map((text) => [text, text])), chosen.version, "Any");
  }
  function select(name, text, options) {
    const element = h("select", { id: `filter-${name}` });
    fill(element, options, chosen[name], "Any");
    return field(name, text, element);
  }
  function field(name, text, element) {
    element.addEventListener("change", () => {
      chosen[name] = element.value;
      if (name === "model") {
        chosen.version = "";
        versions();
      }
      update();
    });
    return h("div", { class: "field" }, h("label", { for: element.id }, text), element);
  }
  let timer;
  const search = h("input", {
    id: "filter-text", type: "search", value: chosen.text, placeholder: "Chip, board, model or site",
    autocomplete: "off", spellcheck: "false",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        chosen.text = search.value;
        update();
      }, 250);
    },
  });
  versions();
  const clear = h("a", { href: "#/devices", class: "clear" }, "Clear filters");
  clear.hidden = !FILTERS.some((name) => chosen[name]);
  // Only narrow screens hide the choices until they are asked for.
  const toggle = h("button", {
    type: "button", class: "toggle", "aria-controls": "choices", "aria-expanded": "false",
    onclick: () => toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") === "false")),
  }, "Filters");
  return h("form", { class: "filters", role: "search", "aria-label": "Devices", onsubmit: (event) => event.preventDefault() },
    h("div", { class: "field wide" }, h("label", { for: "filter-text" }, "Search"), search),
    toggle,
    h("div", { class: "choices", id: "choices" },
      select("board", "Board", names(stats.boards)),
      select("model", "Model", models),
      field("version", "Version", version),
      select("site", "Site", names(stats.sites)),
      select("drift", "Drift", DRIFTS),
      select("state", "State", STATES)),
    clear);
}

let asked = null;

async function load(results, chosen, signal) {
  asked?.abort();
  asked = new AbortController();
  const { signal: mine } = asked;
  signal.addEventListener("abort", () => asked.abort(), { once: true });
  results.setAttribute("aria-busy", "true");
  try {
    const page = await get("/api/devices", { ...chosen, total: "1" }, mine);
    draw(results, chosen, page, mine);
    say(`${devices(page.total)} found`);
  } catch (error) {
    if (error.name === "AbortError") return;
    put(results, h("p", { class: "problem", role: "alert" }, error.message));
  } finally {
    if (asked.signal === mine) results.removeAttribute("aria-busy");
  }
}

function draw(results, chosen, page, signal) {
  if (page.devices.length === 0) {
    put(results, FILTERS.some((name) => chosen[name])
      ? h("div", { class: "empty" }, h("p", {}, "No device matches these filters."))
      : h("div", { class: "empty" },
        h("p", {}, "No device is registered yet."),
        h("p", {}, "Flash one with ", h("code", {}, "tinyc flash"), ", or find those that are connected with ",
          h("code", {}, "tinyc registry sync --all"), ".")));
    return;
  }
  const beats = page.devices.some((device) => device.last_seen);
  const columns = [
    ["Device", (device) => [deviceLink(device), h("span", { class: "under" }, device.board?.title ?? device.board?.name)]],
    ["Model", (device) => (device.model ? modelLink(device.model) : h("span", { class: "muted" }, "unknown"))],
    ["Site", (device) => (device.site ? fleetLink({ site: device.site }, device.site) : h("span", { class: "muted" }, "–"))],
    ["Since", (device) => when(device.since)],
    ...(beats ? [["Last seen", (device) => when(device.last_seen, { time: true })]] : []),
    ["State", (device) => h("span", { class: "badges" }, states(device))],
  ];
  const grid = table("Devices", columns, page.devices);
  const body = grid.querySelector("tbody");
  const counter = h("p", { class: "count" });
  const more = h("button", { type: "button" }, "Show more");
  let next = page.next;
  const tell = () => {
    counter.textContent = `${number(body.rows.length)} of ${devices(page.total)}`;
    more.hidden = !next;
  };
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const following = await get("/api/devices", { ...chosen, cursor: next }, signal);
      const first = body.rows.length;
      body.append(...table("", columns, following.devices).querySelectorAll("tbody tr"));
      next = following.next;
      tell();
      body.rows[first]?.querySelector("a")?.focus();
      say(counter.textContent);
    } catch (error) {
      if (error.name !== "AbortError") counter.replaceChildren(badge("bad", "error"), ` ${error.message}`);
    } finally {
      more.disabled = false;
    }
  });
  tell();
  put(results, grid, h("div", { class: "more" }, counter, more));
}
