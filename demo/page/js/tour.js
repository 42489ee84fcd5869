/**
 * The first visit's card and the guided tour. The tour lights up what to press and goes on when the person has acted.
 * When it finds nothing to light up it says so and waits for any press, or "skip".
 */

import { h } from "./dom.js";
import { has, t } from "./i18n.js";
import { dialog } from "./overlay.js";
import { botAvatar } from "./people.js";
import { remember, remembered } from "./settings.js";
import { store } from "./store.js";

const NARROW = matchMedia("(max-width: 719px)"); // one column shows at a time; the same figure is in base.css

/** Return a text that says where things are, as they are on a screen of this width. */
function here(key, values) {
  return t(NARROW.matches && has(`${key}_narrow`) ? `${key}_narrow` : key, values);
}

/** Show the three lines of the first visit, once; resolves to "tour" when the visitor asks for it. */
export function welcome() {
  if (remembered("welcomed")) return Promise.resolve(null);
  return dialog({ class: "welcome", "aria-label": t("welcome_title"), "data-testid": "welcome" }, (close) =>
    [
      h("div", { class: "welcome-head" }, botAvatar(store.bot), h("h2", {}, t("welcome_title"))),
      ["welcome_1", "welcome_2", "welcome_3"].map((key, index) =>
        h(
          "p",
          { class: "welcome-line" },
          h("span", { class: "number", "aria-hidden": "true" }, String(index + 1)),
          h("span", {}, here(key, { bot: store.bot.first_name })),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "primary-button",
          autofocus: true,
          "data-testid": "welcome-tour",
          onclick: () => close("tour"),
        },
        t("guided_tour"),
      ),
      h(
        "button",
        { type: "button", class: "quiet-button", "data-testid": "welcome-close", onclick: () => close() },
        t("look_around"),
      ),
    ].flat(),
  ).then((answer) => {
    remember("welcomed", "yes");
    return answer;
  });
}

// The steps: the words, and what to press. `press` lists beginnings of a button's callback data (labels change with the
// language) or of a label that is a name, the likeliest first. `write` is put into the text field. `find` returns an element of the
// page. `until` says which act ends the step: "press" (a button or a message of one's own, the usual), "choose" (a
// person), "photo" (the bot sends one). A step marked `optional` is passed over when there is nothing to press.
const APPROVE = ["transfer:approve"];
const STEPS = [
  { key: "tour_start", write: "/start" },
  { key: "tour_prompt", write: t("tour_prompt_example") },
  { key: "tour_draft", press: ["orders:rung"], optional: true },
  { key: "tour_picture", until: "photo", onlyAfter: "tour_draft" },
  { key: "tour_better", write: t("tour_prompt_example"), onlyAfter: "tour_picture" },
  { key: "tour_order", press: ["ladder:lack", "payments:lack", t("tour_rung")] },
  { key: "tour_amount", press: ["payments:amount:10000", "payments:amount"], optional: true },
  { key: "tour_ways", press: ["payments:ways"], optional: true, unless: () => findButton(["payments:pay:transfer"]) },
  { key: "tour_method", press: ["payments:pay:transfer"], optional: true },
  { key: "tour_receipt", find: () => sampleReceipt(), onlyAfter: "tour_method" },
  {
    key: "tour_admin",
    find: () => personRow((person) => person.role === "admin"),
    until: "choose",
    onlyAfter: "tour_receipt",
  },
  { key: "tour_admin_menu", write: "/admin", onlyAfter: "tour_receipt", unless: () => findButton(APPROVE) },
  { key: "tour_topups", press: ["transfer:list"], optional: true, onlyAfter: "tour_admin_menu" },
  { key: "tour_topup", press: ["transfer:show"], optional: true, onlyAfter: "tour_topups" },
  { key: "tour_approve", press: APPROVE, optional: true, onlyAfter: "tour_receipt" },
  { key: "tour_user", find: () => personRow((person) => person.id === customer), until: "choose", onlyAfter: "tour_admin" },
  { key: "tour_create", press: ["generate:waiting"], optional: true, onlyAfter: "tour_user" },
  { key: "tour_confirm", press: [t("tour_rung"), "orders:rung", "orders:go"], optional: true, onlyAfter: "tour_create" },
  { key: "tour_result", until: "photo" },
  { key: "tour_done", last: true },
];
const FIRST_STEPS = ["tour_start", "tour_prompt", "tour_draft", "tour_picture"];
const ANSWER_MS = 600; // the bot's answer is drawn before the next step looks for its button
const PASS_OVER_MS = 3_000;

const isVisible = (node) => Boolean(node?.offsetParent);
let customer = null; // the id of the person who orders

/** Tell whether a person has a picture by the bot already. */
function hasPicture(id) {
  return id !== null && store.chat(id).list().some((message) => message._from_bot && message.photo);
}

/** Return what to press next on the way to a sample picture: the paper clip, its menu, Send. */
function sampleReceipt() {
  const find = (testid) => document.querySelector(`[data-testid=${testid}]`);
  const isBusy = document.querySelector(".composer-place.busy"); // a picture is being drawn or sent
  return find("attach-send") ?? find("attach-picture") ?? (isBusy ? undefined : find("attach"));
}

/** Return the row of the first person who fits; on a narrow screen, the arrow that leads to the list. */
function personRow(fits) {
  const person = [...store.people.values()].find(fits);
  const row = person && document.querySelector(`.person[data-person-id="${person.id}"]`);
  return !row || isVisible(row) ? row : document.querySelector("[data-testid=back]");
}

/** Return the button of the newest keyboards whose data or label begins as wanted. */
function findButton(beginnings) {
  const keyboards = [...document.querySelectorAll(".chat .keyboard")].reverse().slice(0, 3);
  const buttons = keyboards.flatMap((keyboard) => [...keyboard.querySelectorAll("[data-callback]")]);
  for (const beginning of beginnings) {
    const found = buttons.find(({ dataset, title }) =>
      [dataset.callback, title].some((text) => text.startsWith(beginning)),
    );
    if (found) return found;
  }
  return undefined;
}

/** The card of the tour, and what it lights up. */
class Tour {
  constructor(page) {
    this.page = page;
    this.index = -1;
    this.done = new Set(); // keys of the steps that were acted out, not passed over
    this.isKnown = hasPicture(customer); // a second tour begins where the first draft is made already
    if (this.isKnown) this.done.add("tour_picture");
    this.stop = new AbortController();
    this.build();
    this.follow();
    this.next();
  }

  build() {
    const button = (label, testid, onclick) =>
      h("button", { type: "button", class: "dialog-button", "data-testid": testid, onclick }, label);
    this.words = h("p", { role: "status" });
    this.count = h("span", { class: "muted small" });
    this.skip = button(t("tour_skip"), "tour-skip", () => this.next());
    this.card = h(
      "div",
      { class: "tour", role: "region", "aria-label": t("guided_tour"), "data-testid": "tour-card" },
      this.count,
      this.words,
      h(
        "div",
        { class: "dialog-buttons" },
        button(t("tour_end"), "tour-end", () => this.end()),
        this.skip,
      ),
    );
    document.body.append(this.card);
  }

  follow() {
    const { signal } = this.stop;
    store.on(
      "message",
      ({ message, isNew }) => {
        if (isNew && !message._from_bot) this.acted("press");
        else if (isNew && message.photo) this.acted("photo");
        else this.lightSoon();
      },
      signal,
    );
    store.on(
      "tapped",
      ({ data }) => {
        if (this.isWanted(data)) this.acted("press");
      },
      signal,
    );
    store.on("choose", () => this.acted("choose"), signal);
    store.on("answer", () => this.lightSoon(), signal);
    this.observer = new MutationObserver(() => this.lightSoon()); // menus and dialogs open and close
    this.observer.observe(document.body, { childList: true });
    store.on("shown", () => this.lightSoon(), signal); // a narrow screen shows another column
  }

  get step() {
    return STEPS[this.index];
  }

  // A press of another button is the visitor's own way: the tour waits where it is.
  isWanted(data) {
    return !this.wanted || this.wanted === data;
  }

  acted(how) {
    if (this.isActed || (this.step.until ?? "press") !== how) {
      this.early = how; // a picture may be there before its step is
      this.lightSoon();
      return;
    }
    this.early = null;
    this.isActed = true;
    this.done.add(this.step.key);
    this.light();
    this.later(ANSWER_MS, () => this.next());
  }

  /** Run `act` after a while, unless something else comes first. */
  later(ms, act) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.stop.signal.aborted) act();
    }, ms);
  }

  lightSoon() {
    requestAnimationFrame(() => this.light());
  }

  next() {
    clearTimeout(this.timer);
    this.isActed = false;
    do this.index += 1;
    while (this.step && this.isNeedless(this.step));
    if (!this.step) {
      this.end();
      return;
    }
    this.count.textContent = t("tour_step", { n: this.index + 1, all: STEPS.length });
    this.skip.hidden = Boolean(this.step.last);
    if (this.step.write) this.page.write(this.step.write);
    this.light();
    if (this.early === "photo" && this.step.until === "photo") this.acted("photo");
    if (this.step.optional && !this.target()) this.later(PASS_OVER_MS, () => this.passOver());
  }

  isNeedless({ key, onlyAfter, unless }) {
    if (this.isKnown && FIRST_STEPS.includes(key)) return true;
    return Boolean((onlyAfter && !this.done.has(onlyAfter)) || unless?.());
  }

  passOver() {
    if (!this.target()) this.next();
  }

  /** Light up what to press, or say that one must look for it. */
  light() {
    document.querySelectorAll(".tour-target").forEach((node) => node.classList.remove("tour-target"));
    if (!this.step || this.stop.signal.aborted) return;
    const target = this.target();
    this.wanted = target?.dataset.callback;
    // On a phone the card keeps out of the way of what it points at.
    this.card.classList.toggle("high", !target || target.getBoundingClientRect().top > innerHeight / 2);
    target?.classList.add("tour-target");
    const isPlain = target || this.step.last || this.step.until === "photo";
    const words = here(this.step.key === "tour_better" && this.isKnown ? "tour_known" : this.step.key);
    this.words.textContent = isPlain ? words : `${words} ${t("tour_free")}`;
  }

  target() {
    const { write, find, press } = this.step;
    if (this.isActed) return undefined; // nothing to press until the next step
    if (write) return document.querySelector("[data-testid=send]");
    if (find) return find();
    return press ? findButton(press) : undefined;
  }

  end() {
    this.stop.abort();
    this.observer.disconnect();
    this.light();
    this.card.remove();
  }
}

let running = null;

/** Begin the tour as the first person who is not an admin. `page`: choose(id), write(text). */
export async function startTour(page) {
  running?.end();
  customer = [...store.people.values()].find((person) => person.role !== "admin")?.id ?? null;
  await store.loadMissing(); // what was done in an earlier tour
  if (customer !== null) page.choose(customer);
  running = new Tour(page);
}
