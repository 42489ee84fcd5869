/** One chat as one person sees it, with the bot or of a group: header, messages, text field. Several may stand side by side. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { announce, h, iconButton } from "./dom.js";
import { countOf, writeAs } from "./groups.js";
import { t } from "./i18n.js";
import { copy, openLink } from "./links.js";
import { MessageList } from "./list.js";
import { alertBox, popupMenu, textBox, toast } from "./overlay.js";
import { avatar, botAvatar, fullName } from "./people.js";
import { serviceText, summary } from "./service.js";
import { store } from "./store.js";

const LANGUAGES = ["en", "ru", "de", "es"];

/**
 * The chat of one person with the bot, or what that person sees of the group `chatId`. `actions`: back(), panel(),
 * openAs(id, address), chooseGroup(id, personId). Call `close` when it goes.
 */
export class ChatView {
  constructor(personId, actions, chatId = personId) {
    this.personId = personId;
    this.chatId = chatId;
    this.actions = actions;
    this.profile = store.bot; // the bot as this person sees it: commands differ by person and language
    this.stop = new AbortController();
    this.list = new MessageList(this);
    this.composer = new Composer(this);
    this.subtitle = h("span", { class: "chat-subtitle" });
    this.title = h("h1", { class: "chat-title" });
    this.face = h("span");
    this.bubbleOfPerson = h("span", { class: "acting" });
    this.element = h(
      "section",
      { class: "chat", "data-testid": "chat", "data-person-id": personId, "data-chat-id": chatId },
      this.header(),
      this.list.element,
      this.composer.element,
    );
    this.listen();
    this.drawHeader();
    this.loadProfile();
  }

  async loadProfile() {
    const state = await this.attempt(() => api.getState(this.personId));
    if (state) this.profile = store.bot = state.bot;
    this.drawHeader();
    this.composer.drawBar();
    this.list.drawEmpty();
  }

  get person() {
    return store.people.get(this.personId);
  }

  /** The group, or undefined in the private chat. */
  get group() {
    return store.groups.get(this.chatId);
  }

  get chat() {
    return store.chat(this.chatId);
  }

  /** Tell whether this person has written a message. */
  isOwn(message) {
    return this.group ? message.from?.id === this.personId : !message._from_bot;
  }

  header() {
    return h(
      "header",
      { class: "chat-header" },
      iconButton("back", t("back"), () => this.actions.back(), { class: "narrow-only", "data-testid": "back" }),
      this.face,
      h("div", { class: "chat-names" }, this.title, this.subtitle),
      this.bubbleOfPerson,
      iconButton("more", t("chat_menu"), (event) => this.menu(event.currentTarget), { "data-testid": "chat-menu" }),
      iconButton("panel", t("panel"), () => this.actions.panel(), {
        class: "panel-toggle",
        "data-testid": "panel-toggle",
      }),
    );
  }

  drawHeader() {
    const { person, chat } = this;
    const name = this.group?.title ?? store.bot.first_name;
    this.element.setAttribute("aria-label", `${name}: ${t("acting", { name: fullName(person) })}`);
    this.title.textContent = name;
    this.face.replaceChildren(this.group ? avatar(this.group.id, this.group.title) : botAvatar(store.bot));
    this.subtitle.classList.toggle("active", Boolean(chat.action));
    this.subtitle.replaceChildren(
      h("span", {}, this.subtitleText()),
      h("span", {}, ` · ${t("acting", { name: person.first_name })}`),
    );
    const acting = [
      avatar(person.id, fullName(person)),
      h("span", { class: "ellipsis", dir: "auto" }, t("acting", { name: person.first_name })),
    ];
    this.bubbleOfPerson.replaceChildren(...(this.group ? [this.actingButton(acting)] : acting));
  }

  actingButton(content) {
    const choose = (event) => writeAs(event.currentTarget, this.group, this.actions);
    return h(
      "button",
      {
        type: "button",
        class: "acting-button",
        title: t("write_as"),
        "aria-haspopup": "menu",
        "data-testid": "write-as",
        onclick: choose,
      },
      content,
    );
  }

  subtitleText() {
    if (!store.isConnected) return t("connecting");
    if (this.chat.action) return `${t(this.chat.action)}…`;
    return this.group ? countOf(this.group) : t("bot");
  }

  listen() {
    const mine = (act) => (detail) => {
      if (detail.chatId === this.chatId) act(detail);
    };
    const { signal } = this.stop;
    store.on(
      "message",
      mine((detail) => this.onMessage(detail)),
      signal,
    );
    store.on(
      "removed",
      mine((detail) => {
        this.list.remove(detail.messageId);
        this.composer.drawKeyboard();
      }),
      signal,
    );
    store.on(
      "reloaded",
      mine(() => {
        this.list.reload();
        this.composer.drawKeyboard();
        this.seen();
      }),
      signal,
    );
    store.on(
      "answer",
      mine((detail) => this.onAnswer(detail)),
      signal,
    );
    store.on(
      "action",
      mine(() => this.drawHeader()),
      signal,
    );
    store.on("connection", () => this.drawHeader(), signal);
    store.on("group", () => this.drawHeader(), signal);
    store.on(
      "bot",
      () => {
        this.drawHeader();
        this.composer.drawBar();
        this.loadProfile();
      },
      signal,
    );
    store.on(
      "person",
      ({ person }) => {
        if (person.id === this.personId) {
          this.drawHeader();
          this.loadProfile();
        }
      },
      signal,
    );
  }

  close() {
    this.stop.abort();
    this.list.close();
    this.element.remove();
  }

  /** The person looks at the chat: nothing is unread. */
  seen() {
    this.chat.unread = 0;
    store.emit("seen", { chatId: this.chatId });
  }

  onMessage({ message, isNew }) {
    this.list.put(message);
    this.composer.drawKeyboard();
    // An edit of the bot is a new screen, so it is read aloud too.
    if (message._from_bot) announce(`${store.bot.first_name}: ${summary(message)}`);
    if (isNew) this.seen();
  }

  onAnswer({ tap, answer }) {
    this.list.redraw(tap.messageId);
    if (!answer) toast(t("no_answer"), this.element);
    else if (answer.url) openLink(answer.url, this);
    else if (answer.text && answer.show_alert) alertBox(store.bot.first_name, answer.text);
    else if (answer.text) toast(answer.text, this.element);
  }

  /** Name the author of a message. */
  author(message) {
    if (message.sender_chat) return message.sender_chat.title;
    if (message._from_bot || message.from?.is_bot) return store.bot.first_name;
    return fullName(store.people.get(message.from?.id) ?? this.person);
  }

  /** Run an act of the person; a refusal of the server becomes a toast. Resolves to its value or null. */
  async attempt(act) {
    try {
      return await act();
    } catch (error) {
      toast(t("failed", { reason: error.message }), this.element);
      return null;
    }
  }

  /** Press a button of the bot. A second press while the first waits does nothing, as in Telegram. */
  async tap(messageId, data) {
    if (this.chat.isWaiting(messageId, data)) return;
    const pressed = this.attempt(() => store.tap(this.personId, this.chatId, messageId, data));
    this.list.redraw(messageId);
    await pressed;
    this.list.redraw(messageId);
  }

  /** Vote in the poll of a message for options by their numbers; for none: take the vote back. */
  vote(messageId, options) {
    return this.attempt(() => api.vote(this.personId, messageId, options, this.chatId));
  }

  /** Send a text as this person; resolves to whether it went. */
  async sendText(text, replyTo) {
    const answer = await this.attempt(() => api.sendText(this.personId, text, replyTo, this.chatId));
    answer?.messages.forEach((message) => store.put(this.chatId, message));
    this.list.toBottom();
    return answer !== null;
  }

  /** Put words into the text field. */
  write(text) {
    this.composer.insert(text);
  }

  /** Follow a link to the bot: /start with its payload in the private chat, as the apps do. */
  openBot(payload) {
    if (this.group) return this.actions.openBotAs(this.personId, payload);
    return this.sendText(payload ? `/start ${payload}` : "/start");
  }

  scrollTo(messageId) {
    this.list.scrollTo(messageId);
  }

  messageMenu(message, opener) {
    const text = message.text ?? message.caption;
    const charge = message.successful_payment?.telegram_payment_charge_id;
    const canEdit = this.isOwn(message) && message.text !== undefined;
    popupMenu(
      opener,
      [
        serviceText(message) === null && ["reply", t("reply"), () => this.composer.replyTo(message), "menu-reply"],
        text !== undefined && ["copy", t("copy_text"), () => copy(text), "menu-copy"],
        canEdit && ["edit", t("edit"), () => this.composer.edit(message), "menu-edit"],
        charge && ["reply", t("chargeback"), () => this.chargeBack(charge), "menu-chargeback"],
        ["file", t("raw"), () => textBox("JSON", JSON.stringify(message, null, 2), copy), "menu-raw"],
      ].filter(Boolean),
      t("message_menu"),
    );
  }

  async chargeBack(charge) {
    const answer = await this.attempt(() => api.refund(this.personId, charge));
    if (answer) toast(t("charged_back"), this.element);
  }

  menu(opener) {
    const { person } = this;
    if (this.group) return this.groupMenu(opener);
    const change = (fields) => this.change(fields);
    const next = LANGUAGES[(LANGUAGES.indexOf(person.language_code) + 1) % LANGUAGES.length];
    return popupMenu(
      opener,
      [
        [
          "globe",
          `${t("speak", { code: person.language_code })} → ${next}`,
          () => change({ language_code: next }),
          "person-language",
        ],
        ["close", t(person.blocked ? "unblock" : "block"), () => change({ blocked: !person.blocked }), "person-block"],
        ["edit", t("clear_chat"), () => this.clear(), "person-clear"],
      ],
      t("chat_menu"),
    );
  }

  groupMenu(opener) {
    const { has_bot: isThere } = this.group;
    const change = () => this.attempt(() => api.changeGroup(this.chatId, { has_bot: !isThere }));
    const rows = [["close", t(isThere ? "remove_bot" : "add_bot"), change, "group-bot"]];
    popupMenu(opener, [...rows, ["reply", t("write_as"), () => writeAs(opener, this.group, this.actions)]], t("chat_menu"));
  }

  async change(fields) {
    const person = await this.attempt(() => api.changePerson(this.personId, fields));
    if (person) store.putPerson(person);
  }

  async clear() {
    await this.change({ clear: true });
    await store.loadChat(this.personId);
  }
}
