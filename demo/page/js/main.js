/** Start the page: the three columns, who is acting, and which of them a narrow screen shows. */

import * as api from "./api.js";
import { ChatView } from "./chat.js";
import { h } from "./dom.js";
import { isDefault, language, t } from "./i18n.js";
import { openLink } from "./links.js";
import { toast } from "./overlay.js";
import { panel } from "./panel.js";
import { peopleColumn } from "./people.js";
import { problemsBar } from "./plugins.js";
import { applyTheme, remember, remembered } from "./settings.js";
import { store } from "./store.js";
import { startTour, welcome } from "./tour.js";

const WIDE_PX = 1100; // from here on the panel stands beside the chat; the same figure is in base.css

const app = document.getElementById("app");
const chats = h("main", { class: "chats" });
let left = null; // the ChatView of the person acting: the chat with the bot, or a group
let right = null; // the second ChatView, side by side

function choose(id) {
  remember("as", id);
  const before = left?.personId;
  const isNew = left?.chatId !== id;
  if (isNew && right?.personId === id && before !== undefined) showRight(before);
  openChat(id, id);
}

/** Open a group as one of its members: as `personId`, else as whoever acts already, else as the first of them. */
function chooseGroup(id, personId = left?.personId) {
  const { members } = store.groups.get(id);
  const who = members.includes(personId) ? personId : members.find((one) => store.people.has(one));
  if (who !== undefined) openChat(who, id);
}

function openChat(personId, chatId) {
  if (left?.chatId !== chatId || left?.personId !== personId) {
    const before = left?.chatId;
    left?.close();
    left = new ChatView(personId, actions, chatId);
    chats.prepend(left.element);
    if (before !== undefined) store.emit("seen", { chatId: before });
  }
  left.seen();
  left.list.toBottom();
  show("chat");
  if (innerWidth >= WIDE_PX) left.composer.focus();
  store.emit("choose", { chatId: personId });
}

function showRight(id) {
  right?.close();
  right = id === null ? null : new ChatView(id, actions);
  if (right) chats.append(right.element);
  right?.seen();
  chats.classList.toggle("two", Boolean(right));
}

function sideBySide() {
  if (right) return showRight(null);
  const others = [...store.people.values()].filter((person) => person.id !== left.personId);
  const other = others.find((person) => person.role === "admin") ?? others[0];
  return other && showRight(other.id);
}

/** On a narrow screen one column shows at a time: people or chat. */
function show(column) {
  app.dataset.column = column;
  store.emit("shown");
}

function togglePanel(open = app.dataset.panel !== "open") {
  app.dataset.panel = open ? "open" : "closed";
  remember("panel", app.dataset.panel);
}

function openAs(id, address) {
  choose(id);
  return openLink(address, left);
}

function openBotAs(id, payload) {
  choose(id);
  return left.openBot(payload);
}

const actions = {
  acting: () => left?.personId,
  open: () => left?.chatId,
  choose,
  chooseGroup,
  openBotAs,
  openAs,
  sideBySide,
  back: () => show("people"),
  panel: () => togglePanel(),
  tour: () => startTour({ choose, write: (text) => left.composer.replace(text) }),
};

// Whoever begins to type writes to the bot, wherever the focus was.
document.addEventListener("keydown", (event) => {
  const isLetter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
  const isElsewhere =
    document.querySelector("dialog[open]") || event.target.closest("input, textarea, select, [role=menu], .panel");
  if (isLetter && !isElsewhere) left?.composer.focus();
});

function firstPerson() {
  const wanted = Number(remembered("as"));
  if (store.people.has(wanted)) return wanted;
  const people = [...store.people.values()];
  return (people.find((person) => person.role !== "admin") ?? people[0])?.id;
}

/** On the first visit of somebody who reads the page in another language than its default, so do the people of the demo. */
async function speakAsThePage() {
  if (isDefault || remembered("welcomed") !== null) return;
  await store.loadMissing();
  const untouched = [...store.people.values()].filter(({ id }) => !store.chat(id).last); // whoever has written has a language
  for (const { id } of untouched) store.putPerson(await api.changePerson(id, { language_code: language }));
  for (const { id } of store.groups.values()) if (!store.chat(id).last) store.putGroup(await api.changeGroup(id, { title: t("group_example") }));
}

async function start() {
  applyTheme();
  document.documentElement.lang = language;
  document.body.append(problemsBar());
  await store.loadState();
  await speakAsThePage();
  document.title = store.bot.first_name;
  const people = peopleColumn(actions);
  const skip = () => left?.composer.focus();
  document.body.prepend(h("button", { type: "button", class: "skip-link", onclick: skip }, t("skip")));
  app.append(
    people,
    chats,
    panel(() => togglePanel(false), actions.acting),
  );
  togglePanel(remembered("panel", innerWidth >= 1400 ? "open" : "closed") === "open");
  people.drawAll();
  const id = firstPerson();
  if (id !== undefined) choose(id);
  await store.follow(id);
  if ((await welcome()) === "tour") actions.tour();
}

start().catch((error) => toast(t("failed", { reason: error.message })));
