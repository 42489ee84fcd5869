/** Where links and copying lead. A link to the bot itself is followed inside the page, with its start payload. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { choiceBox, confirmBox, toast } from "./overlay.js";
import { paymentSheet } from "./payment.js";
import { store } from "./store.js";

/** Put `text` on the clipboard and say so. */
export async function copy(text) {
  await navigator.clipboard.writeText(text).catch(() => copyOldWay(text));
  toast(t("copied"));
}

// The clipboard API exists only on https and localhost; a page opened by a network address takes this way.
function copyOldWay(text) {
  const area = h("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Return {bot, payload} for t.me/<bot>?start=… and tg://resolve?domain=…, else null. */
export function deepLink(address) {
  const url = parse(address);
  if (!url) return null;
  const isWeb = /^https?:$/.test(url.protocol) && ["t.me", "telegram.me"].includes(url.hostname);
  const isApp = url.protocol === "tg:" && (url.hostname || url.pathname.replace(/\//g, "")) === "resolve";
  if (!isWeb && !isApp) return null;
  const bot = isWeb ? url.pathname.slice(1) : url.searchParams.get("domain");
  return { bot, payload: url.searchParams.get("start") };
}

function parse(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** Follow a link pressed in `view`. `ask` shows where a link with other words on it leads. */
export async function openLink(address, view, ask = false) {
  const link = deepLink(address);
  if (link && link.bot.toLowerCase() === store.bot.username.toLowerCase()) return view.openBot(link.payload);
  if (link && link.bot === "share/url") return share(address, view);
  if (link && link.bot.startsWith("$")) return openInvoice(address, view);
  const url = parse(address);
  if (!url || !/^(https?|mailto|tel):$/.test(url.protocol)) return toast(address);
  if (ask || !(url.origin === location.origin)) {
    if (!(await confirmBox(t("open_link"), address, t("open")))) return;
  }
  window.open(url.href, "_blank", "noopener");
}

/** An invoice's link (createInvoiceLink): whoever follows it gets the payment sheet. */
async function openInvoice(link, view) {
  const invoice = await view.attempt(() => api.getInvoice(view.personId, link));
  if (invoice) paymentSheet(invoice, { link }, view);
}

/** A share link: ask who of the people opens what is shared. */
async function share(address, view) {
  const shared = new URL(address).searchParams.get("url") ?? "";
  const people = [...store.people.values()].filter((person) => person.id !== view.personId);
  const id = await choiceBox(
    t("share"),
    shared,
    people.map((person) => [person.id, person.first_name]),
  );
  if (id !== null) view.actions.openAs(id, shared);
}
