/** The text field and what belongs to it: replies, edits, commands, the bot's reply keyboard, attachments. */

import * as api from "./api.js";
import { attachMenu, takeDropsAndPastes } from "./attach.js";
import { CommandList } from "./commands.js";
import { h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { currentReplyMarkup, replyKeyboard } from "./keyboard.js";
import { confirmBox, toast } from "./overlay.js";
import { summary } from "./service.js";
import { store } from "./store.js";

const MAX_TEXT = 4096; // characters of a message (Bot API, sendMessage)
const MAX_HEIGHT_PX = 180;
const PLACE = { latitude: 48.8583, longitude: 2.2945 }; // where everybody here is when a bot asks: the Eiffel Tower

/** The lower edge of a ChatView. */
export class Composer {
  constructor(view) {
    this.view = view;
    this.mode = null; // {kind: "reply" or "edit", message} or null
    this.isKeyboardOpen = true;
    this.markup = null;
    this.build();
    this.drawBar();
    this.drawKeyboard();
    takeDropsAndPastes(this);
  }

  build() {
    this.field = h("textarea", {
      class: "composer-field",
      rows: 1,
      maxlength: MAX_TEXT,
      placeholder: t("write"),
      "aria-label": t("write"),
      "data-testid": "composer",
      dir: "auto",
      enterkeyhint: "send",
      oninput: () => this.onInput(),
      onkeydown: (event) => this.onKey(event),
    });
    this.sendButton = iconButton("send", t("send"), () => this.submit(), {
      class: "send-button",
      "data-testid": "send",
    });
    this.keyboardButton = iconButton("keyboard", t("reply_keyboard"), () => this.toggleKeyboard(), {
      hidden: true,
      "data-testid": "reply-keyboard-toggle",
    });
    this.menuButton = h(
      "button",
      {
        type: "button",
        class: "menu-button",
        "aria-label": t("commands"),
        "data-testid": "bot-menu",
        "aria-haspopup": "true",
        onclick: () => this.commands.toggle(),
      },
      icon("menu"),
      h("span", {}, t("commands")),
    );
    this.attachButton = iconButton("clip", t("attach"), () => attachMenu(this, this.attachButton), {
      "data-testid": "attach",
      "aria-haspopup": "menu",
    });
    this.modeBar = h("div", { class: "mode-bar", hidden: true });
    this.commands = new CommandList(this);
    this.keyboardPlace = h("div", { class: "reply-keyboard-place" });
    this.row = h("div", { class: "composer-row" }, this.menuButton, this.field, this.keyboardButton, this.attachButton);
    this.unblock = h(
      "button",
      { type: "button", class: "unblock-bar", onclick: () => this.view.change({ blocked: false }) },
      t("blocked_bar"),
    );
    this.box = h(
      "div",
      { class: "composer" },
      h("div", { class: "composer-card" }, this.commands.element, this.modeBar, this.row),
      this.sendButton,
    );
    this.element = h("div", { class: "composer-place" }, this.box, this.unblock, this.keyboardPlace);
  }

  /** Show what the person's state allows: the text field, or Unblock. */
  drawBar() {
    const blocked = this.view.person.blocked && !this.view.group;
    this.box.hidden = blocked;
    this.keyboardPlace.hidden = blocked;
    this.unblock.hidden = !blocked;
    this.menuButton.hidden = this.commands.all.length === 0;
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** Put words at the cursor. */
  insert(text) {
    this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, "end");
    this.onInput();
    this.focus();
  }

  /** Put a text in place of what is in the field. */
  replace(text) {
    this.field.value = "";
    this.insert(text);
    this.commands.hide();
  }

  /** Empty the field, ready for the next text. */
  clear() {
    this.field.value = "";
    this.onInput();
    this.focus();
  }

  onInput() {
    this.grow();
    const command = /^\/\w*$/.exec(this.field.value);
    if (command) this.commands.show(command[0]);
    else this.commands.hide();
  }

  grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, MAX_HEIGHT_PX)}px`;
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape") {
      this.commands.hide();
      this.setMode(null);
    } else if (event.key === "ArrowUp" && this.commands.isOpen) {
      event.preventDefault();
      this.commands.focusLast();
    } else if (event.key === "ArrowUp" && !this.field.value) {
      event.preventDefault();
      this.editLast();
    }
  }

  // ---- replies and edits

  replyTo(message) {
    this.setMode({ kind: "reply", message });
  }

  edit(message) {
    this.setMode({ kind: "edit", message });
    this.field.value = message.text;
    this.grow();
  }

  editLast() {
    const own = this.view.chat.list().filter((message) => this.view.isOwn(message) && message.text !== undefined);
    if (own.length) this.edit(own.at(-1));
  }

  setMode(mode) {
    if (this.mode?.kind === "edit" && !mode) this.field.value = "";
    this.mode = mode;
    this.modeBar.hidden = !mode;
    this.sendButton.replaceChildren(icon(mode?.kind === "edit" ? "check" : "send"));
    if (mode) this.drawMode();
    this.grow();
  }

  drawMode() {
    const { kind, message } = this.mode;
    const title = kind === "edit" ? t("editing") : t("replying", { name: this.view.author(message) });
    this.modeBar.replaceChildren(
      icon(kind),
      h(
        "div",
        { class: "mode-words" },
        h("span", { class: "reply-name ellipsis" }, title),
        h("span", { class: "ellipsis" }, summary(message)),
      ),
      iconButton("close", t("cancel"), () => this.setMode(null)),
    );
    this.focus();
  }

  /** Send or save what is in the field; on failure it comes back. */
  async submit() {
    const text = this.field.value.trim();
    if (!text) return;
    const { mode } = this;
    this.field.value = "";
    this.setMode(null);
    this.commands.hide();
    const done =
      mode?.kind === "edit"
        ? await this.saveEdit(mode.message, text)
        : await this.view.sendText(text, mode?.message.message_id);
    if (done) return;
    this.field.value = text;
    this.grow();
  }

  async saveEdit(message, text) {
    const { personId, chatId } = this.view;
    const edited = await this.view.attempt(() => api.editText(personId, message.message_id, text, chatId));
    if (edited) store.put(chatId, edited);
    return edited !== null;
  }

  /** Send a form with files; `reply_to` comes from the reply bar. */
  async sendForm(form) {
    if (this.mode?.kind === "reply") form.append("reply_to", this.mode.message.message_id);
    form.append("chat_id", this.view.chatId);
    this.setMode(null);
    this.element.classList.add("busy");
    const answer = await this.view.attempt(() => api.sendForm(this.view.personId, form));
    this.element.classList.remove("busy");
    answer?.messages.forEach((message) => store.put(this.view.chatId, message));
    this.view.list.toBottom();
  }

  // ---- the bot's reply keyboard

  /** Follow the newest markup: buttons below the field, the placeholder, a forced reply. */
  drawKeyboard() {
    const markup = currentReplyMarkup(this.view.chat.list());
    const isNew = markup?.messageId !== this.markup?.messageId;
    this.markup = markup;
    this.field.placeholder = markup?.input_field_placeholder ?? t("write");
    if (isNew) this.isKeyboardOpen = true;
    if (isNew && markup?.force_reply) this.forceReply(markup.messageId);
    this.showKeyboard();
  }

  forceReply(messageId) {
    const message = this.view.chat.messages.get(messageId);
    const isAnswered = this.view.chat.list().some((other) => other.message_id > messageId && !other._from_bot);
    if (!isAnswered) this.replyTo(message);
  }

  showKeyboard() {
    const hasKeyboard = Boolean(this.markup?.keyboard);
    this.keyboardButton.hidden = !hasKeyboard;
    this.keyboardButton.setAttribute("aria-pressed", hasKeyboard && this.isKeyboardOpen);
    this.keyboardPlace.replaceChildren(
      ...(hasKeyboard && this.isKeyboardOpen
        ? [replyKeyboard(this.markup, (button, label) => this.pressReply(button, label))]
        : []),
    );
  }

  toggleKeyboard() {
    this.isKeyboardOpen = !this.isKeyboardOpen;
    this.showKeyboard();
  }

  pressReply(button, label) {
    if (button.request_contact) return this.share("share_contact", api.sendContact);
    if (button.request_location) return this.share("share_location", (id) => api.sendLocation(id, PLACE));
    if (Object.keys(button).some((name) => name.startsWith("request_") || name === "web_app"))
      return toast(t("not_in_demo"), this.view.element);
    if (this.markup.one_time_keyboard) this.toggleKeyboard();
    return this.view.sendText(label);
  }

  /** Ask, as Telegram does, and send what a button wants to know. */
  async share(question, send) {
    if (!(await confirmBox(t(question), t("share_note"), t("send")))) return;
    const answer = await this.view.attempt(() => send(this.view.personId));
    answer?.messages.forEach((message) => store.put(this.view.chatId, message));
  }
}
