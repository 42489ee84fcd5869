/** The bot's buttons: those under a message (inline) and those under the text field (reply keyboard). */

import { h, icon } from "./dom.js";
import { money } from "./format.js";
import { t } from "./i18n.js";
import { copy, openLink } from "./links.js";
import { toast } from "./overlay.js";
import { paymentSheet } from "./payment.js";

/** Return the rows of buttons under a message, or null. An invoice without buttons gets its pay button, as in Telegram. */
export function inlineKeyboard(message, view) {
  const rows = message.reply_markup?.inline_keyboard ?? (message.invoice ? [[{ text: "", pay: true }]] : []);
  if (!rows.length) return null;
  return h(
    "div",
    { class: "keyboard" },
    rows.map((row) =>
      h(
        "div",
        { class: "keyboard-row" },
        row.map((button) => inlineButton(button, message, view)),
      ),
    ),
  );
}

function inlineButton(button, message, view) {
  const { corner, press } = behaviour(button, message, view);
  const data = button.callback_data ?? null;
  const label = button.pay ? payLabel(button, message) : button.text;
  const isWaiting = data !== null && view.chat.isWaiting(message.message_id, data);
  return h(
    "button",
    {
      type: "button",
      class: "keyboard-button",
      title: label,
      "data-testid": "keyboard-button",
      "data-callback": data,
      "data-style": button.style,
      "aria-busy": isWaiting ? "true" : null,
      onclick: press,
    },
    h("span", { class: "ellipsis" }, label),
    corner && icon(corner),
    h("span", { class: "spinner", "aria-hidden": "true" }),
  );
}

// In an invoice's first button the words stand as they are, and "XTR" or ⭐ becomes Telegram's star; an empty one gets the price.
function payLabel(button, message) {
  const price = money(message.invoice?.total_amount ?? 0, message.invoice?.currency ?? "XTR");
  if (message._paid) return t("paid_mark");
  return button.text ? button.text.replaceAll("XTR", "⭐") : `${t("pay")} ${price}`;
}

/** Return what a button does when pressed, and the little drawing in its corner. */
function behaviour(button, message, view) {
  if (button.callback_data !== undefined) return { press: () => view.tap(message.message_id, button.callback_data) };
  if (button.url !== undefined) return { corner: "link", press: () => openLink(button.url, view, true) };
  if (button.copy_text !== undefined) return { corner: "copy", press: () => copy(button.copy_text.text) };
  if (button.pay) return { press: () => paymentSheet(message.invoice, { message_id: message.message_id }, view) };
  return { press: () => toast(t("not_in_demo")) };
}

/**
 * Return the reply markup that holds now: the newest one the bot sent, with the id of its message, or null when the
 * newest removes the keyboard.
 */
export function currentReplyMarkup(messages) {
  const bearer = messages.findLast((message) => message._keyboard);
  if (!bearer || bearer._keyboard.remove_keyboard) return null;
  return { ...bearer._keyboard, messageId: bearer.message_id };
}

/** Return the buttons under the text field; a press sends its label. */
export function replyKeyboard(markup, press) {
  return h(
    "div",
    { class: "reply-keyboard", role: "group", "aria-label": t("reply_keyboard") },
    markup.keyboard.map((row) =>
      h(
        "div",
        { class: "keyboard-row" },
        row.map((button) => {
          const label = typeof button === "string" ? button : button.text;
          return h(
            "button",
            {
              type: "button",
              class: "reply-button",
              "data-testid": "reply-button",
              onclick: () => press(button, label),
            },
            h("span", { class: "ellipsis" }, label),
          );
        }),
      ),
    ),
  );
}
