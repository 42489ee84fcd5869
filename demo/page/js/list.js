/**
 * The scrolling list of messages. Each bubble is kept by its key and changed in place; only the newest page is drawn at
 * first, older pages when one scrolls up, so a chat of thousands stays light.
 */

import { h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { Entry, entryKey } from "./messages.js";
import { store } from "./store.js";

const PAGE = 60; // messages drawn at a time
const MAX_DRAWN = 400; // above this, the oldest are taken off while one reads at the bottom
const NEAR_PX = 100;

/** The messages of one ChatView. */
export class MessageList {
  constructor(view) {
    this.view = view;
    this.entries = new Map(); // entryKey → Entry, in the order on the page
    this.isStuck = true; // reading at the bottom: stay there when something is added
    this.missed = 0;
    this.lastTop = 0;
    this.ol = h("ol", { class: "messages", role: "list", "aria-label": t("messages") });
    this.empty = h("div", { class: "empty-place" });
    this.scroller = h("div", { class: "scroller", tabindex: -1 }, this.empty, this.ol);
    this.counter = h("span", { class: "badge" });
    this.down = iconButton("down", t("to_bottom"), () => this.toBottom(), { class: "to-bottom", hidden: true });
    this.down.append(this.counter);
    this.element = h("div", { class: "messages-place" }, this.scroller, this.down);
    this.scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.observer = new ResizeObserver(() => this.keepBottom());
    this.observer.observe(this.ol);
    this.observer.observe(this.scroller);
    this.reload();
  }

  close() {
    this.observer.disconnect();
  }

  get messages() {
    return this.view.chat.list();
  }

  /** Draw the newest page anew. */
  reload() {
    this.entries.clear();
    this.ol.replaceChildren();
    this.messages.slice(-PAGE).forEach((message) => this.append(message));
    this.decorateAll();
    this.drawEmpty();
    this.toBottom();
  }

  drawEmpty() {
    const { chat } = this.view;
    this.empty.replaceChildren(...(chat.isLoaded && chat.messages.size === 0 ? [emptyChat(this.view)] : []));
  }

  /** Add a message, or renew it where it stands. */
  put(message) {
    const entry = this.entries.get(entryKey(message));
    if (entry) {
      entry.put(message);
    } else if (this.isNewest(message)) {
      this.append(message);
      this.decorateLast();
      this.count(message);
    }
    this.drawEmpty(); // the observer of sizes keeps the bottom, once a frame
  }

  // A message older than the drawn ones appears when its page is drawn.
  isNewest(message) {
    const last = [...this.entries.values()].at(-1);
    return !last || message.message_id > last.first.message_id;
  }

  append(message, place = this.ol) {
    const known = this.entries.get(entryKey(message));
    if (known) return known.put(message);
    const entry = new Entry(message, this.view);
    this.entries.set(entryKey(message), entry);
    return place.append(entry.element);
  }

  remove(messageId) {
    const entry = this.find(messageId);
    if (entry && !entry.remove(messageId)) {
      this.entries.forEach((other, key) => {
        if (other === entry) this.entries.delete(key);
      });
      entry.element.remove();
      this.decorateAll();
    }
    this.drawEmpty();
  }

  /** Draw a message again, e.g. when its button's spinner starts or ends. */
  redraw(messageId) {
    this.find(messageId)?.draw();
  }

  find(messageId) {
    return [...this.entries.values()].find((entry) =>
      entry.messages.some((message) => message.message_id === messageId),
    );
  }

  decorateAll() {
    this.decorate([...this.entries.values()], this.entries.size);
  }

  /** Fit the first `count` of the entries `all`, which follow one another, to their neighbours. */
  decorate(all, count) {
    all.slice(0, count).forEach((entry, index) => entry.decorate(all[index - 1], all[index + 1]));
  }

  decorateLast() {
    const [third, second, last] = [undefined, undefined, undefined, ...this.entries.values()].slice(-3);
    second?.decorate(third, last);
    last.decorate(second);
  }

  trim() {
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= MAX_DRAWN) return;
      entry.element.remove();
      this.entries.delete(key);
    }
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // Only a person scrolls up. A list that has grown meanwhile is no reason to let go of the bottom.
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) this.isStuck = true;
    else if (scrollTop < this.lastTop) this.isStuck = false;
    this.lastTop = scrollTop;
    if (this.isStuck) this.missed = 0;
    this.drawDown();
    if (scrollTop < NEAR_PX) this.drawOlder();
  }

  drawDown() {
    this.down.hidden = this.isStuck;
    this.counter.textContent = this.missed || "";
    this.counter.hidden = !this.missed;
  }

  count(message) {
    if (!this.isStuck && message._from_bot) this.missed += 1;
    this.drawDown();
  }

  /** Draw one more page above, and leave the reader's place where it is. Returns whether there was any. */
  drawOlder() {
    const oldest = [...this.entries.values()][0]?.first.message_id;
    const older = this.messages.filter((message) => message.message_id < oldest).slice(-PAGE);
    if (!older.length) return false;
    const fromBottom = this.scroller.scrollHeight - this.scroller.scrollTop;
    const drawn = [...this.entries];
    const page = document.createDocumentFragment();
    this.entries = new Map();
    older.forEach((message) => this.append(message, page));
    const fresh = this.entries.size;
    drawn.forEach(([key, entry]) => this.join(key, entry));
    this.ol.prepend(page);
    this.decorate([...this.entries.values()].slice(0, fresh + 2), fresh + 1); // and the first that was there
    this.scroller.scrollTop = this.scroller.scrollHeight - fromBottom;
    return true;
  }

  // An album may lie across the border of two pages.
  join(key, entry) {
    const same = this.entries.get(key);
    if (!same) return this.entries.set(key, entry);
    entry.element.remove();
    return entry.messages.forEach((message) => same.put(message));
  }

  /** Scroll to a message and light it up, drawing older pages as needed. */
  scrollTo(messageId) {
    while (!this.find(messageId) && this.drawOlder());
    const entry = this.find(messageId);
    if (!entry) return;
    this.isStuck = false;
    entry.element.scrollIntoView({ block: "center" });
    entry.flash();
  }

  toBottom() {
    this.isStuck = true;
    this.missed = 0;
    this.keepBottom();
    this.drawDown();
  }

  keepBottom() {
    if (!this.isStuck) return;
    this.trim();
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.lastTop = this.scroller.scrollTop;
  }
}

/** Return the drawing of an empty chat: what the bot can do, and Start; in a group, how to call it. */
function emptyChat(view) {
  if (view.group) {
    const example = t("group_prompt", { name: store.bot.username });
    return h(
      "div",
      { class: "empty-chat" },
      h("h2", {}, view.group.title),
      h("p", {}, t("group_empty")),
      h(
        "button",
        { type: "button", class: "primary-button", "data-testid": "group-example", onclick: () => view.write(example) },
        example,
      ),
    );
  }
  const { description } = view.profile;
  return h(
    "div",
    { class: "empty-chat" },
    h("h2", {}, t("what_can")),
    description && h("p", {}, description),
    h(
      "button",
      { type: "button", class: "primary-button", "data-testid": "start", onclick: () => view.openBot(null) },
      icon("play"),
      t("start"),
    ),
  );
}
