/**
 * The first visit's card and the guided tour. The tour lights up what to press, found by the beginning of a label, and
 * goes on when the person has acted. When a label is not there it says so and waits for any press, or "skip".
 */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { dialog } from "./overlay.js";
import { remember, remembered } from "./settings.js";
import { store } from "./store.js";

/** Show the three lines of the first visit, once; resolves to "tour" when the visitor asks for it. */
export function welcome() {
  if (remembered("welcomed")) return Promise.resolve(null);
  return dialog({ class: "welcome", "aria-label": t("welcome_title"), "data-testid": "welcome" }, (close) => [
    h("h2", {}, t("welcome_title")),
    ["welcome_1", "welcome_2", "welcome_3"].map((key, index) => h("p", { class: "welcome-line" }, h("span", { class: "number", "aria-hidden": "true" }, String(index + 1)), h("span", {}, t(key)))),
    h("button", { type: "button", class: "primary-button", autofocus: true, "data-testid": "welcome-tour", onclick: () => close("tour") }, t("guided_tour")),
    h("button", { type: "button", class: "quiet-button", "data-testid": "welcome-close", onclick: () => close() }, t("look_around")),
  ].flat()).then((answer) => { remember("welcomed", "yes"); return answer; });
}

// Each step: the words, and where to press. `labels` are beginnings of button labels, the likeliest first.
// `any` lights up the newest keyboard's first button when no label fits. `write` is put into the text field.
const STEPS = [
  { key: "tour_start", write: "/start" },
  { key: "tour_choose", labels: ["🖼", "Picture", "Картин"], any: true },
  { key: "tour_model", labels: ["Nano Banana", "Z-Image", "Seedream"], any: true },
  { key: "tour_prompt", writeKey: "tour_prompt_example" },
  { key: "tour_order", labels: ["▶", "Create", "Создать", "Top up", "Пополнить"] },
  { key: "tour_start", write: "/start" },
  { key: "tour_balance", labels: ["💰", "Balance", "Баланс"] },
  { key: "tour_topup", labels: ["+", "➕", "Top up", "Пополнить"] },
  { key: "tour_amount", labels: ["300", "100"], any: true },
  { key: "tour_method", labels: ["🏦", "Transfer", "Перевод", "СБП"] },
  { key: "tour_receipt", find: () => document.querySelector("[data-testid=attach]") },
  { key: "tour_admin", find: () => personRow((person) => person.role === "admin"), acts: "choose" },
  { key: "tour_approve", labels: ["✓", "✅", "Approve", "Подтвердить", "Одобрить"] },
  { key: "tour_user", find: () => personRow((person) => person.role !== "admin"), acts: "choose" },
  { key: "tour_done", last: true },
];

function personRow(fits) {
  const person = [...store.people.values()].find(fits);
  return person && document.querySelector(`[data-person-id="${person.id}"].person`);
}

/** Find the button of the newest keyboard whose label begins as wanted. */
function findButton({ labels, any }) {
  const keyboards = [...document.querySelectorAll(".chat .keyboard")].reverse();
  for (const label of labels) {
    const buttons = keyboards.slice(0, 3).flatMap((keyboard) => [...keyboard.querySelectorAll("button")]);
    const found = buttons.find((button) => button.title.startsWith(label));
    if (found) return found;
  }
  return any ? keyboards[0]?.querySelector("button") : null;
}

/** The card of the tour, and what it lights up. One at a time. */
class Tour {
  constructor(page) {
    this.page = page;
    this.index = -1;
    this.stop = new AbortController();
    this.words = h("p", { role: "status" });
    this.count = h("span", { class: "muted small" });
    this.card = h("div", { class: "tour", role: "region", "aria-label": t("guided_tour"), "data-testid": "tour-card" }, this.count, this.words,
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "dialog-button", "data-testid": "tour-end", onclick: () => this.end() }, t("tour_end")),
        this.skip = h("button", { type: "button", class: "dialog-button", "data-testid": "tour-skip", onclick: () => this.next() }, t("tour_skip"))));
    document.body.append(this.card);
    this.follow();
    this.next();
  }

  follow() {
    const { signal } = this.stop;
    store.on("message", ({ message, isNew }) => (isNew && !message._from_bot ? this.acted("send") : this.light()), signal);
    store.on("answer", () => this.acted("send"), signal);
    store.on("choose", () => this.acted("choose"), signal);
  }

  get step() {
    return STEPS[this.index];
  }

  acted(how) {
    if ((this.step.acts ?? "send") === how) setTimeout(() => this.next(), 600); // let the bot's answer be drawn
    else this.light();
  }

  next() {
    if (this.stop.signal.aborted) return;
    this.index += 1;
    if (this.index >= STEPS.length) { this.end(); return; }
    this.count.textContent = t("tour_step", { n: this.index + 1, all: STEPS.length });
    this.skip.hidden = Boolean(this.step.last);
    this.prefill();
    this.light();
  }

  prefill() {
    const { write, writeKey } = this.step;
    const field = document.querySelector("[data-testid=composer]");
    if (!field || field.value || !(write || writeKey)) return;
    this.page.write(write ?? t(writeKey));
  }

  /** Light up what to press, or say that one must look for it. */
  light() {
    document.querySelectorAll(".tour-target").forEach((node) => node.classList.remove("tour-target"));
    if (!this.step || this.stop.signal.aborted) return;
    const target = this.target();
    target?.classList.add("tour-target");
    target?.scrollIntoView({ block: "nearest" });
    this.words.textContent = target || this.step.last ? t(this.step.key) : `${t(this.step.key)} ${t("tour_free")}`;
  }

  target() {
    const { write, writeKey, find, labels } = this.step;
    if (write || writeKey) return document.querySelector("[data-testid=send]");
    if (find) return find();
    return labels ? findButton(this.step) : null;
  }

  end() {
    this.stop.abort();
    this.light();
    this.card.remove();
  }
}

let running = null;

/** Begin the tour as the first person who is not an admin. `page`: choose(id), write(text). */
export function startTour(page) {
  running?.end();
  const user = [...store.people.values()].find((person) => person.role !== "admin");
  if (user) page.choose(user.id);
  running = new Tour(page);
}
