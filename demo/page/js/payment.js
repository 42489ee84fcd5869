/** The payment sheet of an invoice: pay, pay twice (what a hurried double tap does), or cancel. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { money } from "./format.js";
import { t } from "./i18n.js";
import { dialog, toast } from "./overlay.js";
import { store } from "./store.js";

/** Open the sheet for an invoice message in `view` and carry the payment through. */
export function paymentSheet(message, view) {
  const { title, description, total_amount: amount, currency } = message.invoice;
  const price = money(amount, currency);
  return dialog({ class: "sheet", "aria-label": t("pay_title"), "data-testid": "payment-sheet" }, (close, node) => {
    const status = h("p", { class: "sheet-status", role: "status", "data-testid": "pay-status" });
    const pay = (times) => run(node, status, view, close, () => api.pay(view.personId, message.message_id, { times }));
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
          onclick: () => pay(1),
        },
        t("pay_confirm", { price }),
      ),
      h(
        "button",
        { type: "button", class: "quiet-button", "data-testid": "pay-twice", onclick: () => pay(2) },
        t("pay_twice"),
      ),
      h(
        "button",
        { type: "button", class: "quiet-button", "data-testid": "pay-cancel", onclick: () => close() },
        t("cancel"),
      ),
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
    if (answer.state === "paid") {
      close();
      toast(t("pay_paid"), view.element);
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
