/** Dates, sizes, durations and money as people read them. Times are unix seconds. */

import { language, t } from "./i18n.js";

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayName = new Intl.DateTimeFormat(language, { day: "numeric", month: "long" });
const shortDay = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });

/** Return "14:02". */
export function time(unix) {
  return clock.format(new Date(unix * 1000));
}

/** Return "Today" or "November 23". */
export function day(unix) {
  const date = new Date(unix * 1000);
  return date.toDateString() === new Date().toDateString() ? t("today") : dayName.format(date);
}

/** Return the time for today, the day for older: the list of people has little room. */
export function timeOrDay(unix) {
  const date = new Date(unix * 1000);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : shortDay.format(date);
}

/** Return "840 B", "12.4 KB", "3.1 MB". */
export function bytes(size) {
  if (size === undefined || size === null) return "";
  if (size < 1024) return `${size} B`;
  const kilo = size / 1024;
  return kilo < 1024 ? `${kilo.toFixed(1)} KB` : `${(kilo / 1024).toFixed(1)} MB`;
}

/** Return "0:07" or "12:30" for seconds. */
export function duration(seconds) {
  const whole = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Return a price: "⭐ 160" for Stars (XTR), "12 ₽" or "12.50 ₽" for money, whose `amount` is in minor units. */
export function money(amount, currency) {
  if (currency === "XTR") return `⭐ ${amount}`;
  const digits = amount % 100 ? 2 : 0;
  const form = { style: "currency", currency, currencyDisplay: "narrowSymbol", minimumFractionDigits: digits };
  const parts = new Intl.NumberFormat(language, form).formatToParts(Math.abs(amount) / 100);
  const sign = parts.find((part) => part.type === "currency").value;
  const number = parts.filter((part) => !["currency", "literal"].includes(part.type)).map((part) => part.value);
  return `${amount < 0 ? "−" : ""}${number.join("")} ${sign}`;
}

/** Return one or two letters for an avatar. */
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  return (
    words
      .slice(0, 2)
      .map((word) => [...word].find((letter) => /[\p{L}\p{N}]/u.test(letter)))
      .join("")
      .toUpperCase() || "?"
  );
}
