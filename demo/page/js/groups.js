/** Groups of people and the bot: their rows in the left column, a new one, and as whom one writes there. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { timeOrDay } from "./format.js";
import { t } from "./i18n.js";
import { formBox, popupMenu, toast } from "./overlay.js";
import { avatar, fullName } from "./people.js";
import { summary } from "./service.js";
import { store } from "./store.js";

/** Return the members of a group that there are, as people. */
export function membersOf(group) {
  return group.members.map((id) => store.people.get(id)).filter(Boolean);
}

/** Return how many members a group has, the bot among them, as its subtitle. */
export function countOf(group) {
  return t("members", { n: group.members.length + (group.has_bot ? 1 : 0) });
}

/** Draw the row of a group in the left column. */
export function groupRow(group, actions) {
  const chat = store.chat(group.id);
  const isOpen = actions.open() === group.id;
  const button = h(
    "button",
    {
      type: "button",
      class: "person",
      "data-testid": "group",
      "data-group-id": group.id,
      "aria-current": isOpen ? "true" : null,
      onclick: () => actions.chooseGroup(group.id),
    },
    avatar(group.id, group.title),
    h(
      "span",
      { class: "person-name" },
      h("span", { class: "ellipsis", dir: "auto" }, group.title),
      h("span", { class: "chip" }, t("group")),
    ),
    h("span", { class: "person-time" }, chat.last ? timeOrDay(chat.last.date) : ""),
    h("span", { class: "person-last ellipsis", dir: "auto" }, lastLine(group, chat)),
    chat.unread > 0 &&
      !isOpen &&
      h("span", { class: "badge", "aria-label": t("unread", { n: chat.unread }) }, String(chat.unread)),
  );
  return h("li", {}, button);
}

function lastLine(group, chat) {
  if (!chat.last) return countOf(group);
  const name = chat.last._from_bot ? store.bot.first_name : chat.last.from.first_name;
  return `${name}: ${summary(chat.last)}`;
}

/** Ask for the name of a new group with everybody in it, and open it. */
export async function addGroup(actions) {
  const fields = await formBox(t("add_group"), [
    { name: "title", label: t("group_title"), required: true, value: t("group_example") },
  ]);
  if (!fields) return;
  try {
    const group = await api.addGroup(fields.title, [...store.people.keys()]);
    store.putGroup(group);
    actions.chooseGroup(group.id);
  } catch (error) {
    toast(t("failed", { reason: error.message }));
  }
}

/** Offer the members of a group: who is chosen writes and taps there. */
export function writeAs(opener, group, actions) {
  const rows = membersOf(group).map((person) => [
    "reply",
    fullName(person),
    () => actions.chooseGroup(group.id, person.id),
    `write-as-${person.id}`,
  ]);
  popupMenu(opener, rows, t("write_as"));
}
