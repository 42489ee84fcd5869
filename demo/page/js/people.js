/** The left column: who is there, who is acting, the page's own switches. */

import * as api from "./api.js";
import { h, iconButton } from "./dom.js";
import { initials, timeOrDay } from "./format.js";
import { addGroup, groupRow } from "./groups.js";
import { switchLanguage, t } from "./i18n.js";
import { formBox, toast } from "./overlay.js";
import { summary } from "./service.js";
import { toggleTheme } from "./settings.js";
import { store } from "./store.js";

/** Return a person's whole name. */
export function fullName(person) {
  return [person.first_name, person.last_name].filter(Boolean).join(" ");
}

/** Return the bot's photo, or a circle with its initials. */
export function botAvatar(bot) {
  const look = { class: "avatar", "data-colour": "bot", "aria-hidden": "true" };
  if (!bot.photo) return h("span", look, initials(bot.first_name));
  return h("img", { ...look, alt: "", src: `/demo/files/${bot.photo}` });
}

/** Return a coloured circle with initials; the colour follows from the id, as in Telegram. */
export function avatar(id, name) {
  return h("span", { class: "avatar", "data-colour": Math.abs(id) % 7, "aria-hidden": "true" }, initials(name));
}

/** Draw the column into a new element. `actions`: choose(id), chooseGroup(id), acting(), open(), tour(), sideBySide(), panel(). */
export function peopleColumn(actions) {
  const list = h("ul", { class: "people-list", role: "list" });
  const rows = new Map(); // id of a person or group → its <li>
  const waiting = new Set(); // ids of rows to draw with the next frame

  function drawAll() {
    rows.clear();
    list.replaceChildren();
    for (const id of store.chatIds()) draw(id);
  }

  function draw(id) {
    const person = store.people.get(id);
    const group = store.groups.get(id);
    if (!person && !group) return;
    const row = person ? personRow(person, actions) : groupRow(group, actions);
    const old = rows.get(id);
    const hasFocus = old?.contains(document.activeElement);
    if (old) old.replaceWith(row);
    else if (person) list.insertBefore(row, firstGroup());
    else list.append(row);
    rows.set(id, row);
    if (hasFocus) row.firstChild.focus();
  }

  function firstGroup() {
    const id = [...rows.keys()].find((one) => store.groups.has(one));
    return id === undefined ? null : rows.get(id);
  }

  // A burst of messages changes a row once a frame.
  function redraw(detail) {
    if (!waiting.size)
      requestAnimationFrame(() => {
        waiting.forEach(draw);
        waiting.clear();
      });
    waiting.add(detail.chatId ?? (detail.person ?? detail.group).id);
  }

  store.on("people", drawAll);
  for (const name of ["person", "group", "message", "removed", "reloaded", "action", "seen"]) store.on(name, redraw);

  const element = h("nav", { class: "people", "aria-label": t("people") }, header(actions), list, footer(actions));
  element.drawAll = drawAll;
  return element;
}

function header(actions) {
  return h(
    "header",
    { class: "people-header" },
    h("h2", {}, t("people")),
    iconButton("plus", t("add_person"), () => addPerson(actions), { "data-testid": "add-person" }),
    iconButton("group", t("add_group"), () => addGroup(actions), { "data-testid": "add-group" }),
    iconButton("moon", t("theme"), toggleTheme, { "data-testid": "theme" }),
    iconButton("globe", t("switch_language"), switchLanguage, { "data-testid": "language" }),
  );
}

function footer(actions) {
  return h(
    "footer",
    { class: "people-footer" },
    h(
      "button",
      { type: "button", class: "quiet-button", "data-testid": "tour", onclick: actions.tour },
      t("guided_tour"),
    ),
    h(
      "button",
      { type: "button", class: "quiet-button wide-only", "data-testid": "split", onclick: actions.sideBySide },
      t("side_by_side"),
    ),
    h("button", { type: "button", class: "quiet-button narrow-only", onclick: actions.panel }, t("panel")),
  );
}

function personRow(person, actions) {
  const chat = store.chat(person.id);
  const name = fullName(person);
  const isActing = actions.open() === person.id;
  const button = h(
    "button",
    {
      type: "button",
      class: "person",
      "data-testid": "person",
      "data-person-id": person.id,
      "aria-current": isActing ? "true" : null,
      onclick: () => actions.choose(person.id),
    },
    avatar(person.id, name),
    h(
      "span",
      { class: "person-name" },
      h("span", { class: "ellipsis", dir: "auto" }, name),
      person.role === "admin" && h("span", { class: "chip" }, t("admin")),
    ),
    h("span", { class: "person-time" }, chat.last ? timeOrDay(chat.last.date) : ""),
    h("span", { class: "person-last ellipsis", dir: "auto" }, lastLine(person, chat)),
    chat.unread > 0 &&
      !isActing &&
      h("span", { class: "badge", "aria-label": t("unread", { n: chat.unread }) }, String(chat.unread)),
  );
  return h("li", {}, button);
}

function lastLine(person, chat) {
  if (person.blocked) return t("blocked");
  if (chat.action) return `${t(chat.action)}…`;
  if (!chat.last) return t("no_messages");
  const line = summary(chat.last);
  return chat.last._from_bot ? line : `${t("you")}: ${line}`;
}

async function addPerson(actions) {
  const fields = await formBox(t("add_person"), [
    { name: "first_name", label: t("first_name"), required: true },
    { name: "last_name", label: t("last_name") },
    { name: "username", label: t("username"), pattern: "[A-Za-z0-9_]{3,32}" },
    {
      name: "language_code",
      label: t("language_code"),
      value: "en",
      options: ["en", "ru", "de", "es", "fr", "uk", "tr", "ar", "zh"],
    },
  ]);
  if (!fields) return;
  try {
    const person = await api.addPerson(Object.fromEntries(Object.entries(fields).filter(([, value]) => value)));
    store.putPerson(person);
    actions.choose(person.id);
  } catch (error) {
    toast(t("failed", { reason: error.message }));
  }
}
