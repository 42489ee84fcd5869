/**
 * The payment sheet of an invoice: pay, pay twice (what a hurried double tap does), confirm without the money coming
 * (Telegram asks the bot, then the payment fails), or cancel (the bot hears nothing, as in Telegram).
 */

import * as api from "./api.js";
import { h } from "./dom.js";
import { money } from "./format.js";
import { t } from "./i18n.js";
import { dialog, toast } from "./overlay.js";
import { store } from "./store.js";

/** Open the sheet for an invoice in `view` and carry the payment through. `bill` names it: {message_id} or {link}. */
export function paymentSheet({ title, description, total_amount: amount, currency }, bill, view) {
  const price = money(amount, currency);
  return dialog({ class: "sheet", "aria-label": t("pay_title"), "data-testid": "payment-sheet" }, (close, node) => {
    const status = h("p", { class: "sheet-status", role: "status", "data-testid": "pay-status" });
    const pay = (more) => run(node, status, view, close, () => api.pay(view.personId, bill, more));
    const quiet = (testid, label, onclick) =>
      h("button", { type: "button", class: "quiet-button", "data-testid": testid, onclick }, label);
    return [
      h("div", { class: "sheet-star", "aria-hidden": "true" }, currency === "XTR" ? "⭐" : "💳"),
      h("h2", {}, t("pay_title")),
      h("p", { class: "dialog-text" }, t("pay_question", { title, bot: store.bot.first_name, price })),
      h("p", { class: "muted" }, description),
      status,
      h(
        "button",
        {
          type: "button",
          class: "primary-button",
          autofocus: true,
          "data-testid": "pay-confirm",
          onclick: () => pay({ times: 1 }),
        },
        t("pay_confirm", { price }),
      ),
      quiet("pay-twice", t("pay_twice"), () => pay({ times: 2 })),
      quiet("pay-abandon", t("pay_abandon"), () => pay({ cancel: true })),
      quiet("pay-cancel", t("cancel"), () => close()),
      h("p", { class: "muted small" }, t("pay_note")),
    ];
  });
}

async function run(node, status, view, close, act) {
  const buttons = [...node.querySelectorAll("button")];
  buttons.forEach((button) => {
    button.disabled = true;
  });
  status.textContent = t("paying");
  try {
    const answer = await act();
    if (answer.state === "paid" || answer.state === "cancelled") {
      close();
      toast(t(`pay_${answer.state}`), view.element);
    } else {
      status.textContent = answer.state === "timeout" ? t("pay_timeout") : t("pay_refused", { reason: answer.error });
    }
  } catch (error) {
    status.textContent = t("failed", { reason: error.message });
  } finally {
    buttons.forEach((button) => {
      button.disabled = false;
    });
  }
}
