/** Draw messages. An Entry is one bubble: a message, or all messages of an album, with its buttons below. */

import { h, icon, iconButton } from "./dom.js";
import { formatted } from "./entities.js";
import { day, money, time } from "./format.js";
import { t } from "./i18n.js";
import { inlineKeyboard } from "./keyboard.js";
import { album, media, mediaKey, VISUAL } from "./media.js";
import { pollBox } from "./poll.js";
import { kindOf, serviceText, summary } from "./service.js";

/** Return the key under which a message is shown: an album's messages share one. */
export function entryKey(message) {
  return message.media_group_id ? `album-${message.media_group_id}` : `message-${message.message_id}`;
}

/** One bubble in a chat. `element` stays the same for its whole life; `draw` renews what is inside. */
export class Entry {
  constructor(message, view) {
    this.view = view;
    this.messages = [message];
    this.day = h("div", { class: "day", role: "presentation" });
    this.body = h("div", { class: "body" });
    this.element = h("li", { class: "entry" }, this.day, this.body);
    this.key = null;
    this.mediaNode = null;
    this.draw();
  }

  get first() {
    return this.messages[0];
  }

  get isOut() {
    return this.view.isOwn(this.first);
  }

  /** Put in a message of this entry: a new one of an album, or the newer self of one that is here. */
  put(message) {
    const others = this.messages.filter((one) => one.message_id !== message.message_id);
    this.messages = [...others, message].sort((a, b) => a.message_id - b.message_id);
    this.draw();
  }

  /** Take a message out; returns whether any is left. */
  remove(messageId) {
    this.messages = this.messages.filter((one) => one.message_id !== messageId);
    if (this.messages.length) this.draw();
    return this.messages.length > 0;
  }

  draw() {
    const service = serviceText(this.first);
    this.element.dataset.testid = "message";
    this.element.dataset.messageId = this.first.message_id;
    this.element.dataset.out = this.isOut;
    this.element.classList.toggle("service", Boolean(service));
    this.element.classList.toggle("out", !service && this.isOut);
    this.element.classList.toggle("in", !service && !this.isOut);
    const focused = pressable(this.body).indexOf(document.activeElement);
    this.body.replaceChildren(...(service ? [this.serviceLine(service)] : this.bubbleAndKeyboard()));
    // Whoever works by keyboard stays at the same button when the bot changes the message.
    if (focused >= 0) pressable(this.body)[focused]?.focus({ preventScroll: true });
  }

  serviceLine(text) {
    return h("div", { class: "service-line" }, h("span", {}, text), this.menuButton());
  }

  bubbleAndKeyboard() {
    const shown = this.messages.map(mediaKey).join();
    if (shown !== this.key) {
      this.key = shown;
      this.mediaNode = this.messages.length > 1 ? album(this.messages) : media(this.first);
    }
    const keyboard = inlineKeyboard(this.first, this.view);
    return [h("div", { class: `bubble-row ${keyboard ? "with-keyboard" : ""}` }, this.bubble(), keyboard)];
  }

  bubble() {
    const captioned = this.messages.find((message) => message.caption || message.text || message.invoice) ?? this.first;
    const isVisual = this.messages.every((message) => VISUAL.includes(kindOf(message)));
    const words = this.words(captioned);
    const parts = captioned.show_caption_above_media ? [words, this.mediaNode] : [this.mediaNode, words];
    const meta = this.meta();
    const bubble = h(
      "div",
      { class: "bubble" },
      this.authorLine(),
      this.forwardLine(),
      this.replyLine(),
      invoicePhoto(captioned),
      parts,
      meta,
      this.menuButton(),
    );
    // The time lies on the end of the last line: an unseen copy of it keeps the room free.
    if (words && parts.at(-1) === words)
      words.append(h("span", { class: "meta-room", "aria-hidden": "true" }, meta.cloneNode(true)));
    bubble.classList.toggle("visual", isVisual);
    bubble.classList.toggle("bare", kindOf(this.first) === "sticker" || kindOf(this.first) === "video_note");
    bubble.classList.toggle("captioned", words !== null && parts.at(-1) === words);
    return bubble;
  }

  words(message) {
    if (message.invoice) return invoiceWords(message.invoice);
    if (message.poll) return pollBox(message, this.view);
    const text = message.text ?? message.caption;
    if (text === undefined)
      return kindOf(message)
        ? null
        : h(
            "div",
            { class: "text muted" },
            message.dice ? `${message.dice.emoji} ${message.dice.value}` : t("unknown_kind"),
          );
    return h(
      "div",
      { class: "text", dir: "auto", "data-testid": "message-text" },
      formatted(text, message.entities ?? message.caption_entities, this.view),
    );
  }

  // In a group, names are above what others write.
  authorLine() {
    if (!this.view.group || this.isOut) return null;
    return h("div", { class: "author ellipsis", dir: "auto" }, this.view.author(this.first));
  }

  forwardLine() {
    const origin = this.first.forward_origin;
    if (!origin) return null;
    const name = origin.sender_user?.first_name ?? origin.sender_user_name ?? origin.chat?.title ?? "";
    return h("div", { class: "forward" }, t("forwarded", { name }));
  }

  replyLine() {
    const { reply_to_message: target } = this.first;
    if (!target) return null;
    return h(
      "button",
      { type: "button", class: "reply-line", onclick: () => this.view.scrollTo(target.message_id) },
      h("span", { class: "reply-name ellipsis" }, this.view.author(target)),
      h("span", { class: "ellipsis" }, summary(target)),
    );
  }

  meta() {
    const last = this.messages.at(-1);
    // Telegram hides "edited" on a bot's messages with buttons: there an edit is a new screen.
    const isEdited = last.edit_date && !last.reply_markup;
    return h(
      "span",
      { class: "meta" },
      isEdited && h("span", {}, `${t("edited")} `),
      h("time", {}, time(last.date)),
      this.isOut && icon("checks"),
    );
  }

  menuButton() {
    return iconButton("more", t("message_menu"), (event) => this.view.messageMenu(this.first, event.currentTarget), {
      class: "message-more",
      "data-testid": "message-menu",
    });
  }

  /** Fit to the neighbours: the date above the first of a day, the tail on the last of a run. */
  decorate(before, after) {
    const isNewDay = !before || day(before.first.date) !== day(this.first.date);
    this.day.textContent = isNewDay ? day(this.first.date) : "";
    const joins = (other) =>
      other &&
      other.isOut === this.isOut &&
      other.first.from?.id === this.first.from?.id &&
      !serviceText(other.first) &&
      Math.abs(other.first.date - this.first.date) < 600;
    this.element.classList.toggle("run-start", isNewDay || !joins(before));
    this.element.classList.toggle("run-end", !joins(after));
  }

  flash() {
    this.element.classList.remove("flash");
    requestAnimationFrame(() => this.element.classList.add("flash"));
  }
}

function pressable(body) {
  return [...body.querySelectorAll("button, a")];
}

function invoicePhoto(message) {
  const url = message.invoice?.photo?._url ?? message.invoice?._photo_url;
  return url ? h("img", { class: "invoice-photo", src: url, alt: "" }) : null;
}

function invoiceWords(invoice) {
  return h(
    "div",
    { class: "text invoice" },
    h("strong", {}, invoice.title),
    h("span", {}, invoice.description),
    h("span", { class: "invoice-price" }, money(invoice.total_amount, invoice.currency)),
  );
}
