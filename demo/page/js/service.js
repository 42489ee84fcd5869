/** What a message says in one line: for the list of people, replies, screen readers, and centred service messages. */

import { money } from "./format.js";
import { has, t } from "./i18n.js";

/** Kinds of content the page draws, in the order of the Bot API's Message; an animation also carries a document. */
export const KINDS = [
  "photo",
  "video",
  "animation",
  "audio",
  "voice",
  "video_note",
  "document",
  "sticker",
  "contact",
  "location",
];

/** Return the name of the file, place or contact a message carries, or undefined for text. */
export function kindOf(message) {
  return KINDS.find((kind) => kind in message);
}

/** Return the text of a service message (money, pins), or null for an ordinary message. */
export function serviceText(message) {
  const { successful_payment: paid, refunded_payment: refunded, pinned_message: pinned } = message;
  if (paid) return t("paid_service", { price: money(paid.total_amount, paid.currency) });
  if (refunded) return t("refunded_service", { price: money(refunded.total_amount, refunded.currency) });
  if (pinned) return t("pinned", { name: message.from?.first_name ?? "" });
  return null;
}

/** Return a message in one line. */
export function summary(message) {
  const kind = kindOf(message);
  const words = message.text ?? message.caption ?? message.invoice?.title ?? message.poll?.question ?? "";
  const line = words.replace(/\s+/g, " ").slice(0, 200);
  if (serviceText(message)) return serviceText(message);
  if (kind && has(kind)) return line ? `${t(kind)}, ${line}` : t(kind);
  return line || t("unknown_kind");
}
