// The SPARQL editor with the named queries. Editor and results are YASQE and YASR of @zazuko/yasgui.

import { get, part } from "./api.js";
import { h, put, say } from "./dom.js";
import { number } from "./words.js";

const FIRST = `PREFIX tinyc: <urn:tinyc:ns#>
PREFIX schema: <https://schema.org/>

SELECT ?model ?version (COUNT(?device) AS ?devices) WHERE {
  ?device a tinyc:Device ;
          tinyc:runsModel [ schema:name ?model ; schema:version ?version ] .
}
GROUP BY ?model ?version
ORDER BY DESC(?devices)`;
const LONGEST_LINK = 4000;
const PREFIXES = {
  tinyc: "urn:tinyc:ns#", schema: "https://schema.org/", prov: "http://www.w3.org/ns/prov#",
  rdf: "http://www.w3.org/1999/02/22-rdf-syntax-ns#", rdfs: "http://www.w3.org/2000/01/rdf-schema#",
  xsd: "http://www.w3.org/2001/XMLSchema#", dct: "http://purl.org/dc/terms/", sosa: "http://www.w3.org/ns/sosa/",
  mls: "http://www.w3.org/ns/mls#", td: "https://www.w3.org/2019/wot/td#",
};

let loading = null;

/** The editor is a megabyte: it is fetched when somebody comes here. */
function library() {
  loading ??= new Promise((done, failed) => {
    document.head.append(h("link", { rel: "stylesheet", href: "/static/vendor/yasgui.min.css" }));
    document.head.append(h("script", {
      src: "/static/vendor/yasgui.min.js",
      onload: () => done(window.Yasgui.Yasgui ?? window.Yasgui),
      onerror: () => {
        loading = null;
        failed(new Error("The editor could not be loaded from this server."));
      },
    }));
  });
  return loading;
}

export async function render({ parameters }, signal) {
  const [{ queries }, Yasgui, about] = await Promise.all([
    get("/api/queries", {}, signal), library(), get("/api/about", {}, signal)]);
  const panel = h("div", { class: "named" });
  const editor = h("div", { class: "editor" });
  const verdict = h("p", { class: "verdict" });
  const results = h("div", { class: "answer", "aria-label": "Answer", role: "region" });
  const root = h("div", { class: "query" }, h("h1", {}, "Query"), panel, editor, verdict, results);
  root.addEventListener("shown", () => start(), { once: true });
  return root;

  function start() {
    const yasqe = new Yasgui.Yasqe(editor, {
      value: parameters.get("text") || FIRST,
      persistenceId: null,
      consumeShareLink: null,
      createShareableLink: null,
      createShortLink: null,
      autocompleters: ["variables"],
      resizeable: false,
      editorHeight: "300px",
      showQueryButton: false,
      requestConfig: {
        endpoint: `${location.origin}/sparql`, method: "POST",
        args: [{ name: "union-default-graph", value: "true" }],
        acceptHeaderGraph: "text/turtle", acceptHeaderSelect: "application/sparql-results+json",
      },
    });
    const field = yasqe.getInputField();
    field.setAttribute("aria-label", "SPARQL query. Control and Enter runs it, Escape leaves the editor.");
    const yasr = new Yasgui.Yasr(results, {
      persistenceId: null, prefixes: PREFIXES, pluginOrder: ["table", "response"], maxPersistentResponseSize: 0,
      plugins: { table: { dynamicConfig: { compact: true } } },
    });
    const run = h("button", { type: "button", class: "primary", onclick: () => yasqe.query().catch(() => {}) }, "Run");
    editor.after(h("div", { class: "run" }, run, h("span", { class: "muted" },
      `Ctrl+Enter runs the query. It may take ${about.seconds ?? "any number of"} s and have ${number(about.rows)} rows.`)));
    yasqe.on("query", () => {
      put(verdict, "Running…");
      run.disabled = true;
    });
    yasqe.on("queryResponse", (_, response, duration) => {
      run.disabled = false;
      show(yasr, response, duration);
      const query = new URLSearchParams({ text: yasqe.getValue() }).toString();
      if (query.length < LONGEST_LINK) history.replaceState(null, "", `#/query?${query}`);
    });
    // The table makes no links of URNs. Those of devices and models have a page here.
    new MutationObserver(() => {
      for (const link of results.querySelectorAll("a.iri:not([href])")) {
        const [, kind, id] = /^urn:tinyc:(device|model):(.*)$/.exec(link.textContent) ?? [];
        if (!kind) continue;
        link.href = `#/${kind}/${part(id)}`;
        link.removeAttribute("target");
      }
    }).observe(results, { childList: true, subtree: true });
    signal.addEventListener("abort", () => yasqe.destroy(), { once: true });
    named(panel, queries, parameters, async (query, values) => {
      put(verdict, "Running…");
      const started = performance.now();
      try {
        const { text } = await get(`/api/queries/${part(query.name)}/text`, values, signal);
        yasqe.setValue(text);
        const response = await fetch(`/api/queries/${part(query.name)}?${new URLSearchParams(values)}`, {
          headers: { accept: "application/sparql-results+json, text/turtle" }, signal,
        });
        const content = await response.text();
        if (!response.ok) throw new Error(JSON.parse(content).error);
        const { ok, status, statusText, headers } = response;
        show(yasr, { ok, status, statusText, headers, content }, performance.now() - started);
        history.replaceState(null, "", `#/query?${new URLSearchParams({ name: query.name, ...values })}`);
      } catch (error) {
        if (error.name !== "AbortError") put(verdict, h("span", { class: "problem", role: "alert" }, error.message));
      }
    });
  }

  function show(yasr, response, duration) {
    if (response instanceof Error) {
      yasr.resultsEl.replaceChildren();
      put(verdict, h("span", { class: "problem words", role: "alert" }, response.message));
      return;
    }
    yasr.setResponse(response, duration);
    const rows = yasr.results?.getBindings()?.length;
    const cut = response.headers.get("tinyc-truncated");
    const text = `${rows === undefined ? "Answered" : `${number(rows)} ${rows === 1 ? "row" : "rows"}`} in ${number(Math.round(duration))} ms`;
    put(verdict, text, cut && h("strong", { class: "cut" }, ` · cut at ${number(Number(cut.split("=")[1]))} rows: there are more`));
    say(text);
  }
}

/** The list of named queries, and a form for the parameters of the chosen one. */
function named(panel, queries, parameters, ask) {
  if (queries.length === 0) return;
  const form = h("form", { class: "parameters" });
  const select = h("select", { id: "named-query" },
    h("option", { value: "" }, "Choose a question…"),
    queries.map((query) => h("option", { value: query.name }, query.name)));
  const choose = (given) => {
    const query = queries.find((one) => one.name === select.value);
    if (!query) {
      put(form);
      return;
    }
    const fields = query.parameters.map((one) => {
      const id = `parameter-${one.name}`;
      const input = h("input", {
        id, name: one.name, value: given.get(one.name) ?? one.default ?? "", required: one.default === null,
        "aria-describedby": one.what ? `${id}-what` : undefined, autocomplete: "off", spellcheck: "false",
      });
      return h("div", { class: "field" }, h("label", { for: id }, `${one.name} (${one.type})`), input,
        one.what && h("span", { id: `${id}-what`, class: "under" }, one.what));
    });
    put(form, h("p", { class: "describe" }, query.description), fields,
      h("button", { type: "submit", class: "primary" }, "Ask"));
  };
  const values = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(queries.find((one) => one.name === select.value), values());
  });
  select.addEventListener("change", () => choose(new URLSearchParams()));
  put(panel, h("div", { class: "field" }, h("label", { for: select.id }, "Named query"), select), form);
  const wanted = parameters.get("name");
  if (wanted && queries.some((one) => one.name === wanted)) {
    select.value = wanted;
    choose(parameters);
    if (form.checkValidity()) ask(queries.find((one) => one.name === wanted), values());
  }
}
