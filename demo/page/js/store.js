/**
 * What the page knows: the bot, the people, the groups, and the chat of each. It draws nothing; the views listen to it.
 *
 * Events (each a CustomEvent whose `detail` carries `chatId` where a chat is meant):
 * message {message, isNew}, removed {messageId}, reloaded, tapped {data}, answer {tap, answer}, action, person {person},
 * group {group}, people, bot, call {call}, plugins {loaded, problems}, connection {up}; and what the page itself does: seen, choose, shown.
 */

import * as api from "./api.js";

const NO_ANSWER_MS = 30_000; // Telegram's own apps stop the spinner after about half a minute
const SETTLED_MS = 300;
const ACTION_MS = 5_000; // a chat action lasts 5 seconds or until a message comes (Bot API, sendChatAction)

class Chat {
  constructor() {
    this.messages = new Map(); // message_id → Message, in the order of ids
    this.isLoaded = false;
    this.loading = null; // the promise of a reading that goes on
    this.later = null; // while the chat is being read: what has changed since, to be done when it is there
    this.unread = 0;
    this.action = null;
    this.taps = new Map(); // callback_query_id → {messageId, data, timer}, waiting for the bot's answer
    this.early = new Map(); // answers that came before the tap's own reply
  }

  get last() {
    return this.list().at(-1);
  }

  list() {
    return [...this.messages.values()];
  }

  isWaiting(messageId, data) {
    return [...this.taps.values()].some((tap) => tap.messageId === messageId && tap.data === data);
  }
}

class Store extends EventTarget {
  bot = null;
  kie = null;
  hasLedger = false; // the bot behind the page shows its books
  people = new Map();
  groups = new Map();
  chats = new Map();
  isConnected = true;

  /** Return the chat of a person with the bot, or that of a group; it may still be empty. */
  chat(id) {
    if (!this.chats.has(id)) this.chats.set(id, new Chat());
    return this.chats.get(id);
  }

  /** Follow the server's events and read every chat, the chat of `first` first. */
  async follow(first) {
    // What is read after the stream has opened misses nothing that comes between the two.
    await new Promise((resolve) => {
      api.listen(
        (kind, data) => this.receive(kind, data),
        (up) => {
          if (up) resolve();
          this.connection(up);
        },
      );
    });
    if (first !== undefined) await this.loadChat(first);
    await this.loadMissing();
  }

  async loadState() {
    const { bot, people, groups, kie, backstage } = await api.getState();
    this.bot = bot;
    this.kie = kie;
    this.hasLedger = backstage !== null;
    this.people = new Map(people.map((person) => [person.id, person]));
    this.groups = new Map(groups.map((group) => [group.id, group]));
    this.emit("people");
    this.emit("bot");
    this.emit("plugins", { loaded: [], problems: backstage?.problems ?? [] });
  }

  // A bot sets its commands for each language and scope in turn: read them once, when it is done.
  loadStateSoon() {
    clearTimeout(this.stateTimer);
    this.stateTimer = setTimeout(() => this.loadState().then(() => this.loadMissing()), SETTLED_MS);
  }

  /** Read the whole chat of a person anew. */
  loadChat(id) {
    const chat = this.chat(id);
    chat.loading ??= this.readChat(id, chat).finally(() => {
      chat.loading = null;
    });
    return chat.loading;
  }

  async readChat(id, chat) {
    const changes = [];
    chat.later = changes;
    try {
      const { messages } = await api.getMessages(id);
      chat.messages = new Map(messages.map((message) => [message.message_id, message]));
    } finally {
      chat.later = null;
    }
    chat.isLoaded = true;
    this.emit("reloaded", { chatId: id });
    changes.forEach((change) => change());
  }

  async loadMissing() {
    for (const id of this.chatIds()) if (!this.chat(id).isLoaded) await this.loadChat(id);
  }

  chatIds() {
    return [...this.people.keys(), ...this.groups.keys()];
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Call `listener(detail)` for an event; with `signal`, until it is aborted. */
  on(name, listener, signal) {
    this.addEventListener(name, (event) => listener(event.detail), { signal });
  }

  async connection(up) {
    const wasDown = !this.isConnected;
    this.isConnected = up;
    this.emit("connection", { up });
    if (!up || !wasDown) return;
    await this.loadState();
    for (const id of this.chatIds()) await this.loadChat(id);
  }

  /** Take one event of the server. */
  receive(kind, data) {
    const { chat_id: chatId } = data;
    if (kind === "call") this.emit("call", { call: data });
    else if (kind === "plugins") this.emit("plugins", data);
    else if (kind === "bot") this.loadStateSoon();
    else if (kind === "person") this.putPerson(data.person);
    else if (kind === "group") this.putGroup(data.group);
    else if (!this.people.has(chatId) && !this.groups.has(chatId)) return;
    else if (kind === "message" || kind === "edited") this.put(chatId, data.message);
    else if (kind === "deleted") this.remove(chatId, data.message_id);
    else if (kind === "answer") this.answered(data);
    else if (kind === "action") this.setAction(chatId, data.action);
  }

  /** Add a message or replace it with its newer self. */
  put(chatId, message) {
    const chat = this.chat(chatId);
    if (chat.later) {
      chat.later.push(() => this.put(chatId, message));
      return;
    }
    const known = chat.messages.get(message.message_id);
    if (known && JSON.stringify(known) === JSON.stringify(message)) return; // an answer and its event say the same
    chat.messages.set(message.message_id, message);
    if (!known && message._from_bot) {
      chat.unread += 1;
      this.setAction(chatId, null);
    }
    this.emit("message", { chatId, message, isNew: !known });
  }

  remove(chatId, messageId) {
    const { later } = this.chat(chatId);
    if (later) later.push(() => this.remove(chatId, messageId));
    else if (this.chat(chatId).messages.delete(messageId)) this.emit("removed", { chatId, messageId });
  }

  putPerson(person) {
    const isNew = !this.people.has(person.id);
    this.people.set(person.id, person);
    this.emit("person", { person });
    if (isNew) this.loadMissing();
  }

  putGroup(group) {
    const isNew = !this.groups.has(group.id);
    this.groups.set(group.id, group);
    this.emit("group", { group });
    if (isNew) this.loadMissing();
  }

  setAction(chatId, action) {
    const chat = this.chat(chatId);
    clearTimeout(chat.actionTimer);
    chat.action = action;
    if (action) chat.actionTimer = setTimeout(() => this.setAction(chatId, null), ACTION_MS);
    this.emit("action", { chatId });
  }

  /** Press a button as a person. The spinner runs until the bot's answer, an `answer` event, or half a minute. */
  async tap(personId, chatId, messageId, data) {
    const chat = this.chat(chatId);
    const placeholder = Symbol("tap");
    chat.taps.set(placeholder, { messageId, data });
    this.emit("tapped", { chatId, data });
    try {
      const { callback_query_id: id } = await api.tap(personId, messageId, data, chatId);
      const timer = setTimeout(() => this.settle(chatId, id, null), NO_ANSWER_MS);
      chat.taps.set(id, { messageId, data, timer });
      if (chat.early.has(id)) this.settle(chatId, id, chat.early.get(id));
    } finally {
      chat.taps.delete(placeholder);
    }
  }

  answered(answer) {
    const chat = this.chat(answer.chat_id);
    if (chat.taps.has(answer.callback_query_id)) this.settle(answer.chat_id, answer.callback_query_id, answer);
    else chat.early.set(answer.callback_query_id, answer);
  }

  settle(chatId, id, answer) {
    const chat = this.chat(chatId);
    const tap = chat.taps.get(id);
    if (!tap) return;
    clearTimeout(tap.timer);
    chat.taps.delete(id);
    chat.early.delete(id);
    this.emit("answer", { chatId, tap, answer });
  }
}

export const store = new Store();
