/** The list of the bot's calls as they happen: method, parameters, answer, time taken. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { t } from "./i18n.js";
import { store } from "./store.js";

const MAX_CALLS = 200; // rows kept in the list

/** Draw the tab; it follows the server's events from then on. */
export function callsTab() {
  const list = h("ol", { class: "calls", role: "list" });
  const none = h("p", { class: "muted pad" }, t("no_calls"));
  const filter = h("input", {
    type: "search",
    class: "input",
    placeholder: t("filter"),
    "aria-label": t("filter"),
    oninput: () => refilter(),
  });
  const hidePolls = h("input", { type: "checkbox", checked: true, onchange: () => refilter() });
  const pause = h("input", { type: "checkbox" });
  let newest = 0;

  const isPoll = (method) => hidePolls.checked && method === "getUpdates";
  const fits = (method) => method.toLowerCase().includes(filter.value.toLowerCase()) && !isPoll(method);

  function refilter() {
    for (const row of list.children) row.hidden = !fits(row.dataset.method);
  }

  function add(call) {
    if (call.n <= newest || pause.checked || isPoll(call.method)) return; // polls would push everything else out
    newest = call.n;
    const row = callRow(call);
    row.hidden = !fits(call.method);
    list.prepend(row);
    none.hidden = true;
    while (list.children.length > MAX_CALLS) list.lastChild.remove();
  }

  store.on("call", ({ call }) => add(call));
  api.getCalls(0).then(({ calls }) => calls.slice(-MAX_CALLS).forEach(add));
  return h(
    "div",
    { class: "tab-body" },
    h(
      "div",
      { class: "tab-tools" },
      filter,
      h("label", { class: "check" }, hidePolls, t("hide_polls")),
      h("label", { class: "check" }, pause, t("pause_calls")),
    ),
    none,
    list,
  );
}

function callRow(call) {
  const details = h(
    "details",
    {},
    h(
      "summary",
      { class: "call" },
      h("span", { class: `dot ${call.ok ? "good" : "bad"}`, "aria-label": call.ok ? "ok" : "error" }),
      h("span", { class: "call-method ellipsis" }, call.method),
      h("span", { class: "call-brief ellipsis muted" }, brief(call)),
      h("span", { class: "call-ms muted" }, t("ms", { n: Math.round(call.ms) })),
    ),
  );
  // The JSON is written when it is opened: most calls never are.
  details.addEventListener("toggle", () => {
    if (details.children.length > 1) return;
    details.append(
      json(t("parameters"), readable(call.params)),
      json(t("answer"), call.ok ? call.result : call.description),
    );
  });
  return h("li", { "data-method": call.method }, details);
}

// Nested parameters travel as JSON inside a string (Bot API, Making requests).
function readable(params) {
  return Object.fromEntries(Object.entries(params ?? {}).map(([name, value]) => [name, parsed(value)]));
}

function parsed(value) {
  if (typeof value !== "string" || !/^[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value; // a text that happens to begin with a bracket
  }
}

function brief(call) {
  if (!call.ok) return call.description;
  const { text, caption, action } = call.params ?? {};
  return String(text ?? caption ?? action ?? time(call.at));
}

function json(title, value) {
  return h(
    "div",
    { class: "json-part" },
    h("h3", {}, title),
    h("pre", { class: "json", tabindex: 0 }, JSON.stringify(value, null, 2) ?? ""),
  );
}
