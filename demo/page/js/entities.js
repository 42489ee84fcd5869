/**
 * Turn a text with Telegram's entities into nodes. Offsets and lengths are UTF-16 units, which is what JavaScript's
 * strings count in. Unknown kinds stay plain text. Every character ends up in a text node.
 */

import { h, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { copy, openLink } from "./links.js";

/** Return a fragment for `text`; `view` is the chat in which links and commands act. */
export function formatted(text, entities = [], view = null) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  const fragment = document.createDocumentFragment();
  fragment.append(...range(text, 0, text.length, sorted, view));
  return fragment;
}

function range(text, start, end, entities, view) {
  const nodes = [];
  let position = start;
  entities.forEach((entity, index) => {
    if (entity.offset < position || entity.offset >= end) return; // drawn already, inside an entity before it
    const entityEnd = Math.min(entity.offset + entity.length, end);
    if (entity.offset > position) nodes.push(text.slice(position, entity.offset));
    const inner = range(text, entity.offset, entityEnd, entities.slice(index + 1), view);
    nodes.push(draw(entity, inner, text.slice(entity.offset, entityEnd), view));
    // A quote or a block of code ends its line itself.
    position = BLOCKS.includes(entity.type) && text[entityEnd] === "\n" ? entityEnd + 1 : entityEnd;
  });
  if (position < end) nodes.push(text.slice(position, end));
  return nodes;
}

const BLOCKS = ["pre", "blockquote", "expandable_blockquote"];
const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s" };

function draw(entity, inner, text, view) {
  if (TAGS[entity.type]) return h(TAGS[entity.type], {}, inner);
  const special = SPECIAL[entity.type];
  return special ? special(entity, inner, text, view) : h("span", {}, inner);
}

const link = (address) => (entity, inner, text, view) =>
  h(
    "a",
    {
      href: safeHref(address(entity, text)),
      class: "link",
      onclick: (event) => {
        event.preventDefault();
        openLink(address(entity, text), view, entity.type === "text_link");
      },
    },
    inner,
  );

const inlineButton = (act) => (entity, inner, text, view) =>
  h("button", { type: "button", class: "text-button", onclick: () => act(entity, text, view) }, inner);

// Only http and https may stand in an href; everything is opened by openLink anyway.
function safeHref(address) {
  return /^https?:\/\//i.test(address) ? address : "#";
}

function code(entity, inner, text) {
  return h(
    "code",
    {},
    h("button", { type: "button", class: "code-button", title: t("copy_code"), onclick: () => copy(text) }, inner),
  );
}

function pre(entity, inner, text) {
  return h(
    "div",
    { class: "pre" },
    h(
      "div",
      { class: "pre-head" },
      h("span", {}, entity.language ?? ""),
      iconButton("copy", t("copy_code"), () => copy(text)),
    ),
    h("pre", {}, h("code", {}, inner)),
  );
}

function spoiler(entity, inner) {
  const show = () => {
    button.classList.add("shown");
    button.removeAttribute("aria-label");
  };
  const button = h(
    "button",
    { type: "button", class: "spoiler", "aria-label": t("spoiler"), onclick: show },
    h("span", {}, inner),
  );
  return button;
}

function quote(entity, inner) {
  const block = h("blockquote", {}, inner);
  if (entity.type === "expandable_blockquote") {
    block.classList.add("folded");
    block.addEventListener("click", () => block.classList.toggle("folded"));
  }
  return block;
}

const SPECIAL = {
  code,
  pre,
  spoiler,
  blockquote: quote,
  expandable_blockquote: quote,
  url: link((entity, text) => (/^[a-z][a-z0-9+.-]*:/i.test(text) ? text : `https://${text}`)),
  text_link: link((entity) => entity.url),
  email: link((entity, text) => `mailto:${text}`),
  phone_number: link((entity, text) => `tel:${text}`),
  mention: link((entity, text) => `https://t.me/${text.slice(1)}`),
  text_mention: link((entity) => `tg://user?id=${entity.user.id}`),
  bot_command: inlineButton((entity, text, view) => view?.sendText(text)),
  hashtag: inlineButton((entity, text, view) => view?.write(text)),
  cashtag: inlineButton((entity, text, view) => view?.write(text)),
};
