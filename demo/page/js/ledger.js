/** The money of the person acting, as the bot has it in its books: balance, what is on hold, every movement. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { money, timeOrDay } from "./format.js";
import { t } from "./i18n.js";
import { store } from "./store.js";

const LOOK_EVERY_MS = 1_500;

/** Draw the tab; it looks into the books again and again while it is on show. `acting` returns the person's id. */
export function ledgerTab(acting) {
  const place = h("div", { class: "ledger" });
  let shown = "";
  const draw = async () => {
    if (place.offsetParent === null) return;
    const person = store.people.get(acting());
    const books = await api.getLedger(person.id);
    const state = JSON.stringify([person.first_name, books]);
    if (state === shown) return;
    shown = state;
    place.replaceChildren(...rows(person, books));
  };
  const again = () => draw().catch(() => place.replaceChildren(h("p", { class: "muted" }, t("connecting"))));
  setInterval(again, LOOK_EVERY_MS);
  for (const name of ["choose", "message"]) store.on(name, () => queueMicrotask(again));
  return h("div", { class: "tab-body scroll" }, place);
}

function rows(person, { balance, on_hold: held, entries, currency }) {
  if (!currency) return [h("p", { class: "muted" }, t("ledger_empty", { name: person.first_name }))];
  return [
    h(
      "p",
      { class: "ledger-balance", "data-testid": "ledger-balance" },
      h("span", { class: "muted" }, person.first_name),
      h("strong", {}, money(balance, currency)),
      held > 0 && h("span", { class: "muted" }, t("ledger_held", { sum: money(held, currency) })),
    ),
    entries.length
      ? h(
          "ol",
          { class: "entries", role: "list" },
          entries.map((entry) => row(entry, currency)),
        )
      : h("p", { class: "muted" }, t("ledger_none")),
  ];
}

function row({ at, kind, amount, key, reason }, currency) {
  return h(
    "li",
    { class: "ledger-entry", "data-testid": "ledger-entry", "data-kind": kind },
    h("span", { class: "chip" }, kind),
    h(
      "span",
      { class: `ledger-amount ${amount > 0 ? "plus" : ""}` },
      `${amount > 0 ? "+" : ""}${money(amount, currency)}`,
    ),
    h("code", { class: "muted small ellipsis", title: key }, reason ? `${key} · ${reason}` : key),
    h("span", { class: "muted small" }, timeOrDay(at)),
  );
}
