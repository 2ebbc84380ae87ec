// The page: which view the address names, and the theme.

import { h, put, say } from "./dom.js";
import * as device from "./device.js";
import * as fleet from "./fleet.js";
import * as model from "./model.js";
import * as models from "./models.js";
import * as query from "./query.js";
import * as versions from "./versions.js";

const VIEWS = { devices: fleet, device, models, model, versions, query };
const SECTION = { device: "devices", model: "models" };
const main = document.getElementById("main");
let running = null;
let shown = null;

/** The view, the thing and the parameters that an address names. */
function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    // An address that somebody cut: the server will not know it.
  }
  return { name: name || "devices", id, parameters: new URLSearchParams(query) };
}

async function show() {
  // A link inside the page, such as "Skip to content", names no view.
  if (location.hash && !location.hash.startsWith("#/")) return;
  const place = read();
  const view = VIEWS[place.name];
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  for (const link of document.querySelectorAll(".top nav a")) {
    const section = SECTION[place.name] ?? place.name;
    if (link.getAttribute("href") === `#/${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const moved = shown !== null;
  shown = place.name;
  if (!view) {
    problem(new Error("There is no such page."));
    return;
  }
  const waiting = setTimeout(() => put(main, h("p", { class: "loading" }, "Loading…")), 150);
  try {
    const content = await view.render(place, signal);
    clearTimeout(waiting);
    if (signal.aborted) return;
    put(main, content);
    const title = main.querySelector("h1")?.textContent ?? "";
    document.title = `${title} · tinyc registry`;
    if (moved) {
      main.focus({ preventScroll: true });
      window.scrollTo(0, 0);
      say(title);
    }
    content.dispatchEvent(new CustomEvent("shown"));
  } catch (error) {
    clearTimeout(waiting);
    if (!signal.aborted) problem(error);
  }
}

function problem(error) {
  const missing = error.status === 404;
  put(main, h("section", { class: "problem", role: "alert" },
    h("h1", {}, missing ? "Not in the registry" : "That did not work"),
    h("p", { class: "words" }, error.message),
    h("p", {}, h("button", { type: "button", onclick: show }, "Try again"), " ",
      h("a", { href: "#/devices" }, "To the fleet"))));
  document.title = "tinyc registry";
}

function themes() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("tinyc-theme", root.dataset.theme);
    } catch {
      // Then it lasts as long as the page.
    }
    label();
  });
  dark.addEventListener("change", label);
  label();
}

themes();
window.addEventListener("hashchange", show);
show();
