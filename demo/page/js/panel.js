/** "Behind the scenes": the bot's calls as they happen, Telegram's bad days, KIE's tasks. */

import * as api from "./api.js";
import { h, iconButton } from "./dom.js";
import { time } from "./format.js";
import { t } from "./i18n.js";
import { confirmBox, toast } from "./overlay.js";
import { remember, remembered } from "./settings.js";
import { store } from "./store.js";

const MAX_CALLS = 200; // rows kept in the list
const MAX_TASKS = 50;
const TASKS_EVERY_MS = 2_000;

/** Draw the panel; `close` hides it. */
export function panel(close) {
  const tabs = [
    ["calls", callsTab()],
    ["trouble", troubleTab()],
  ];
  if (store.kie) tabs.push(["tasks", tasksTab()]);
  const element = h(
    "aside",
    { class: "panel", "data-testid": "panel", "aria-label": t("panel") },
    h("header", { class: "panel-header" }, h("h2", {}, t("panel")), iconButton("close", t("close"), close)),
    tabBar(tabs),
    tabs.map(([, body]) => body),
  );
  return element;
}

function tabBar(tabs) {
  const bar = h("div", { class: "tabs", role: "tablist" });
  const show = (name) => {
    remember("tab", name);
    tabs.forEach(([other, body], index) => {
      body.hidden = other !== name;
      bar.children[index].setAttribute("aria-selected", other === name);
      bar.children[index].tabIndex = other === name ? 0 : -1;
    });
  };
  for (const [name, body] of tabs) {
    body.setAttribute("role", "tabpanel");
    body.setAttribute("aria-label", t(name));
    bar.append(
      h(
        "button",
        { type: "button", role: "tab", class: "tab", "data-testid": `tab-${name}`, onclick: () => show(name) },
        t(name),
      ),
    );
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: "nextSibling", ArrowLeft: "previousSibling" }[event.key];
    document.activeElement[step]?.click();
    document.activeElement[step]?.focus();
  });
  const wanted = remembered("tab", "calls");
  show(tabs.some(([name]) => name === wanted) ? wanted : "calls");
  return bar;
}

// ---- calls

function callsTab() {
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

// ---- trouble

const SENDS = "sendMessage";
const PRESETS = [
  ["trouble_429", { method: SENDS, kind: "429", times: 3, retry_after: 3 }],
  ["trouble_500", { method: "*", kind: "500", times: 3 }],
  ["trouble_502", { method: "*", kind: "502", times: 3 }],
  ["trouble_drop", { method: SENDS, kind: "drop", times: 1 }],
  ["trouble_drop_before", { method: SENDS, kind: "drop_before", times: 1 }],
  ["trouble_slow", { method: "*", kind: "slow", times: 5, delay_s: 5 }],
  ["trouble_garbage", { method: "*", kind: "garbage", times: 1 }],
  ["trouble_409", { method: "getUpdates", kind: "409", times: 3 }],
];
const KINDS = ["429", "500", "502", "401", "403", "409", "drop", "drop_before", "slow", "garbage"];

async function run(act, done) {
  try {
    await act();
    if (done) toast(done);
  } catch (error) {
    toast(t("failed", { reason: error.message }));
  }
}

const makeTrouble = (fields) => run(() => api.makeTrouble(fields), t("trouble_set", fields));
const wideButton = (label, onclick, props = {}) =>
  h("button", { type: "button", class: "row-button", onclick, ...props }, label);

function troubleTab() {
  const flood = h("input", {
    type: "checkbox",
    onchange: () => run(() => api.setLimits(flood.checked), t("flood_limits")),
  });
  const clock = (fields) => run(() => api.setClock(fields), t("clock_moved"));
  return h(
    "div",
    { class: "tab-body scroll" },
    h("p", { class: "muted" }, t("trouble_about")),
    h(
      "div",
      { class: "rows" },
      PRESETS.map(([key, fields]) => wideButton(t(key), () => makeTrouble(fields), { "data-testid": key })),
    ),
    wideButton(t("trouble_clear"), () => run(api.clearTrouble, t("trouble_cleared")), {
      class: "row-button main",
      "data-testid": "trouble_clear",
    }),
    ownTrouble(),
    h("label", { class: "check" }, flood, t("flood_limits")),
    pendingLine(),
    h("h3", {}, t("clock")),
    h(
      "div",
      { class: "in-line" },
      wideButton(t("forward_hour"), () => clock({ forward_s: 3600 })),
      wideButton(t("forward_day"), () => clock({ forward_s: 86400 })),
      wideButton(t("real_time"), () => clock({ real: true })),
    ),
    h("hr"),
    wideButton(t("everything_forgotten"), forget, { class: "row-button danger" }),
  );
}

function ownTrouble() {
  const form = h(
    "form",
    {
      class: "own-trouble",
      onsubmit: (event) => {
        event.preventDefault();
        const { method, kind, times } = Object.fromEntries(new FormData(form));
        makeTrouble({ method, kind, times: Number(times), retry_after: 3, delay_s: 5 });
      },
    },
    h(
      "label",
      { class: "field" },
      h("span", {}, t("method")),
      h("input", { name: "method", value: "*", required: true }),
    ),
    h(
      "label",
      { class: "field" },
      h("span", {}, t("kind")),
      h(
        "select",
        { name: "kind" },
        KINDS.map((kind) => h("option", {}, kind)),
      ),
    ),
    h(
      "label",
      { class: "field" },
      h("span", {}, t("times")),
      h("input", { name: "times", type: "number", value: 1, min: 1, max: 1000, required: true }),
    ),
    h("button", { type: "submit", class: "row-button" }, t("apply")),
  );
  return h("details", {}, h("summary", {}, t("trouble_own")), form);
}

function pendingLine() {
  const line = h("p", { class: "muted", role: "status" });
  const draw = async () => {
    if (!line.isConnected || line.offsetParent === null) return;
    const { updates } = await api.getPending();
    const words = t("pending", { n: updates });
    if (line.textContent !== words) line.textContent = words;
  };
  setInterval(
    () =>
      draw().catch(() => {
        line.textContent = t("connecting");
      }),
    TASKS_EVERY_MS,
  );
  return line;
}

async function forget() {
  if (!(await confirmBox(t("everything_forgotten"), t("forget_question"), t("everything_forgotten")))) return;
  await api.reset();
  location.reload();
}

// ---- KIE

function tasksTab() {
  const place = h("div", { class: "tasks" });
  let shown = "";
  const draw = async () => {
    if (place.offsetParent === null) return;
    const tasks = (await api.getTasks(store.kie)).slice(-MAX_TASKS).reverse(); // the newest on top
    const state = JSON.stringify(tasks);
    if (state === shown) return; // keep the focus where it is
    shown = state;
    place.replaceChildren(
      ...(tasks.length ? tasks.map((task) => taskRow(task, draw)) : [h("p", { class: "muted" }, t("no_tasks"))]),
    );
  };
  const unreachable = () => {
    shown = "";
    place.replaceChildren(h("p", { class: "muted" }, t("tasks_unreachable", { url: store.kie })));
  };
  setInterval(() => draw().catch(unreachable), TASKS_EVERY_MS);
  queueMicrotask(() => draw().catch(unreachable));
  return h("div", { class: "tab-body scroll" }, place);
}

const FINAL = ["success", "fail"];

function taskRow(task, redraw) {
  const move = (action) =>
    run(async () => {
      await api.moveTask(store.kie, task.task_id, action);
      await redraw();
    });
  const button = (action) =>
    h(
      "button",
      { type: "button", class: "chip-button", "data-testid": `task-${action}`, onclick: () => move(action) },
      t(action),
    );
  return h(
    "article",
    { class: "task", "data-testid": "task", "data-task-id": task.task_id },
    h(
      "div",
      { class: "task-head" },
      h("strong", { class: "ellipsis" }, task.model),
      h("span", { class: `chip state-${task.state}` }, task.state),
    ),
    h("div", { class: "muted small ellipsis" }, task.task_id),
    h(
      "div",
      { class: "task-foot" },
      h(
        "span",
        { class: "muted small" },
        task.credits === null || task.credits === undefined ? "" : t("credits", { n: task.credits }),
      ),
      !FINAL.includes(task.state) && h("span", { class: "task-buttons" }, ["finish", "fail", "stall"].map(button)),
    ),
  );
}
