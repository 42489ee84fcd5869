/** Telegram's bad days: errors to come, its clock, its flood limits, and a fresh start. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { attempt, confirmBox } from "./overlay.js";
import { store } from "./store.js";

const PENDING_EVERY_MS = 2_000;
// Most screens of a bot are edits, so what is about sending is about both.
const SENDS = ["sendMessage", "editMessageText"];
const PRESETS = [
  ["trouble_429", SENDS, { kind: "429", times: 3, retry_after: 3 }],
  ["trouble_500", ["*"], { kind: "500", times: 3 }],
  ["trouble_502", ["*"], { kind: "502", times: 3 }],
  ["trouble_drop", SENDS, { kind: "drop", times: 1 }],
  ["trouble_drop_before", SENDS, { kind: "drop_before", times: 1 }],
  ["trouble_slow", SENDS, { kind: "slow", times: 5, delay_s: 5 }],
  ["trouble_garbage", SENDS, { kind: "garbage", times: 1 }],
  ["trouble_409", ["getUpdates"], { kind: "409", times: 3 }],
];
// KIE's own, until it is well again: the places of its stub, and what happens there.
const KIE_PRESETS = [
  ["kie_down", ["create", "poll", "credit", "upload", "chat"], { kind: "500", times: 0 }],
  ["kie_slow", ["create", "poll", "credit", "upload", "chat"], { kind: "slow", times: 0, delay_s: 20 }],
];
const FEW_CREDITS = 0;
const MANY_CREDITS = 100_000;
const KINDS = ["429", "500", "502", "401", "403", "409", "drop", "drop_before", "slow", "garbage"];

function makeTrouble(methods, fields) {
  const ask = () => Promise.all(methods.map((method) => api.makeTrouble({ method, ...fields })));
  return attempt(ask, t("trouble_set", { ...fields, method: methods.join(", ") }));
}

const wideButton = (label, onclick, props = {}) =>
  h("button", { type: "button", class: "row-button", onclick, ...props }, label);

/** Draw the tab. */
export function troubleTab() {
  const flood = h("input", {
    type: "checkbox",
    onchange: () => attempt(() => api.setLimits(flood.checked), t("flood_limits")),
  });
  const clock = (forward_s) => attempt(() => moveClocks(forward_s), t("clock_moved"));
  return h(
    "div",
    { class: "tab-body scroll" },
    h("p", { class: "muted" }, t("trouble_about")),
    store.kie && kieFaults(),
    h("h3", {}, t("trouble_telegram")),
    h(
      "div",
      { class: "rows" },
      PRESETS.map(([key, methods, fields]) =>
        wideButton(t(key), () => makeTrouble(methods, fields), { "data-testid": key }),
      ),
    ),
    wideButton(t("trouble_clear"), () => attempt(api.clearTrouble, t("trouble_cleared")), {
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
      wideButton(t("forward_hour"), () => clock(3600)),
      wideButton(t("forward_day"), () => clock(86400)),
    ),
    h("p", { class: "muted small" }, t("clock_about")),
    h("hr"),
    wideButton(t("everything_forgotten"), forget, { class: "row-button danger" }),
  );
}

/** Move all clocks together: the server's, which takes the bot's with it, and KIE's. */
async function moveClocks(forward_s) {
  await api.setClock({ forward_s });
  if (store.kie) await api.setKieClock(store.kie, { forward_s });
}

/** What can be wrong at KIE, and the way back. */
function kieFaults() {
  const set = (key, act) => wideButton(t(key), () => attempt(act, t("kie_set", { what: t(key) })), { "data-testid": key });
  const calm = async () => {
    await api.calmKie(store.kie);
    await api.setKie(store.kie, { credits: MANY_CREDITS });
  };
  return h(
    "div",
    { class: "rows" },
    h("h3", {}, t("trouble_kie")),
    KIE_PRESETS.map(([key, places, fields]) =>
      set(key, () => Promise.all(places.map((at) => api.makeKieTrouble(store.kie, { at, ...fields })))),
    ),
    set("kie_empty", () => api.setKie(store.kie, { credits: FEW_CREDITS })),
    wideButton(t("kie_calm"), () => attempt(calm, t("kie_calm")), { class: "row-button main", "data-testid": "kie_calm" }),
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
        makeTrouble([method], { kind, times: Number(times), retry_after: 3, delay_s: 5 });
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
    PENDING_EVERY_MS,
  );
  return line;
}

async function forget() {
  if (!(await confirmBox(t("everything_forgotten"), t("forget_question"), t("everything_forgotten")))) return;
  await api.reset();
  location.reload();
}
