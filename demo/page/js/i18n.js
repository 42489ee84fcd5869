/** The page's own words, from `words.json`: a language is a list there, the first is the default. The bot's words come from the bot. */

import { remember, remembered } from "./settings.js";

const WORDS = await (await fetch(new URL("../words.json", import.meta.url))).json();
const LANGUAGES = Object.keys(WORDS);

/** The remembered language, else the browser's, else the default. */
export const language =
  [remembered("lang"), navigator.language.split("-")[0]].find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];

/** Whether the page is in its default language, which needs no explanation. */
export const isDefault = language === LANGUAGES[0];

/** Return a text of the page; `{name}` in it is replaced by `values.name`. */
export function t(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Return whether there is a text under this key. */
export function has(key) {
  return key in WORDS[language];
}

/** Change to the page's next language. It is drawn anew: the server keeps the chats and what people speak, this browser the rest. */
export function switchLanguage() {
  remember("welcomed", "yes"); // it is no first visit, on which people learn the language of the page
  remember("lang", LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length]);
  location.search = "";
}
