/** Everything that lies over the page: toasts, alerts, questions, little menus, the enlarged photo. */

import { h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";

const TOAST_MS = 4_000;

/** Show a line for four seconds, over `place` (a chat) or over the whole page. */
export function toast(text, place = document.body) {
  const node = h("div", { class: "toast", role: "status", "data-testid": "toast" }, text);
  document.querySelectorAll(".toast").forEach((old) => old.remove());
  place.append(node);
  setTimeout(() => node.remove(), TOAST_MS);
}

/** Carry out an act of the page and say in a toast how it went: `done` (a text, or nothing), or why it did not work. */
export async function attempt(act, done) {
  try {
    await act();
    if (done) toast(done);
  } catch (error) {
    toast(t("failed", { reason: error.message }));
  }
}

/** Show a dialog made of `children`; resolves with what `close(value)` was given, or null. `children` gets `close`. */
export function dialog(props, children) {
  return new Promise((resolve) => {
    const node = h("dialog", { ...props, class: `dialog ${props.class ?? ""}` });
    let result = null;
    const close = (value = null) => {
      result = value;
      node.close();
    };
    node.append(...children(close, node));
    node.addEventListener("close", () => {
      node.remove();
      resolve(result);
    });
    node.addEventListener("click", (event) => {
      if (event.target === node) close();
    });
    document.body.append(node);
    node.showModal();
  });
}

const button = (label, onclick, props = {}) =>
  h("button", { type: "button", class: "dialog-button", onclick, ...props }, label);

/** Show the answer of a button that must be read (show_alert). */
export function alertBox(title, text) {
  return dialog({ role: "alertdialog", "aria-label": title, "data-testid": "alert" }, (close) => [
    h("h2", {}, title),
    h("p", { class: "dialog-text" }, text),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("ok"), () => close(), { autofocus: true, "data-testid": "alert-ok" }),
    ),
  ]);
}

/** Ask yes or no; resolves to true or false. */
export async function confirmBox(title, text, yes) {
  const answer = await dialog({ role: "alertdialog", "aria-label": title, "data-testid": "confirm" }, (close) => [
    h("h2", {}, title),
    h("p", { class: "dialog-text" }, text),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("cancel"), () => close(false)),
      button(yes, () => close(true), { autofocus: true, "data-testid": "confirm-yes" }),
    ),
  ]);
  return answer === true;
}

/** Ask for one of `choices`, a list of [value, label]; resolves to the value or null. */
export function choiceBox(title, text, choices) {
  return dialog({ "aria-label": title }, (close) => [
    h("h2", {}, title),
    h("p", { class: "dialog-text" }, text),
    h(
      "div",
      { class: "choice-list" },
      choices.map(([value, label]) => button(label, () => close(value))),
    ),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("cancel"), () => close()),
    ),
  ]);
}

/** Ask for some fields ({name, label, value?, required?, pattern?, options?}); resolves to an object of texts or null. */
export function formBox(title, fields) {
  return dialog({ "aria-label": title }, (close) => {
    const form = h(
      "form",
      {
        class: "form",
        onsubmit: (event) => {
          event.preventDefault();
          close(Object.fromEntries(new FormData(form)));
        },
      },
      h("h2", {}, title),
      fields.map(formField),
      h(
        "div",
        { class: "dialog-buttons" },
        button(t("cancel"), () => close()),
        h("button", { type: "submit", class: "dialog-button", "data-testid": "form-save" }, t("save")),
      ),
    );
    return [form];
  });
}

function formField({ name, label, value = "", required, pattern, options }) {
  const input = options
    ? h(
        "select",
        { name },
        options.map((option) => h("option", { value: option, selected: option === value }, option)),
      )
    : h("input", { name, value, required, pattern, autocomplete: "off", maxlength: 64 });
  return h("label", { class: "field" }, h("span", {}, label), input);
}

/** Show text as it is, e.g. a message's JSON. */
export function textBox(title, text, onCopy) {
  return dialog({ class: "wide", "aria-label": title }, (close) => [
    h("h2", {}, title),
    h("pre", { class: "json", tabindex: 0 }, text),
    h(
      "div",
      { class: "dialog-buttons" },
      button(t("copy_code"), () => onCopy(text)),
      button(t("close"), () => close(), { autofocus: true }),
    ),
  ]);
}

/** Show photos large: a list of {url, caption}, beginning at `index`. Arrow keys turn the pages. */
export function lightbox(photos, index = 0) {
  return dialog({ class: "lightbox", "aria-label": t("photo"), "data-testid": "lightbox" }, (close, node) => {
    const image = h("img", { alt: "" });
    const caption = h("p", { class: "lightbox-caption" });
    const show = (step) => {
      index = (index + step + photos.length) % photos.length;
      image.src = photos[index].url;
      image.alt = caption.textContent = photos[index].caption ?? "";
    };
    show(0);
    node.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") show(-1);
      if (event.key === "ArrowRight") show(1);
    });
    image.addEventListener("click", () => close());
    const turn =
      photos.length > 1
        ? [
            iconButton("back", t("previous"), () => show(-1)),
            iconButton("back", t("next"), () => show(1), { class: "flip" }),
          ]
        : [];
    return [
      image,
      caption,
      h(
        "div",
        { class: "lightbox-bar" },
        turn,
        iconButton("close", t("close"), () => close(), { autofocus: true }),
      ),
    ];
  });
}

/**
 * Open a little menu near the button `opener`: `items` are [icon, label, act, testid?]. Arrow keys move, Escape closes
 * and gives the focus back.
 */
export function popupMenu(opener, items, label) {
  document.querySelector(".popup")?.remove();
  const menu = h("div", { class: "popup", role: "menu", "aria-label": label, popover: "auto" });
  for (const [name, text, act, testid] of items) {
    menu.append(
      h(
        "button",
        {
          type: "button",
          role: "menuitem",
          class: "popup-item",
          "data-testid": testid,
          onclick: () => {
            menu.hidePopover();
            act();
          },
        },
        icon(name),
        h("span", {}, text),
      ),
    );
  }
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...menu.children];
    all.at((all.indexOf(document.activeElement) + step) % all.length).focus();
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "closed") menu.remove();
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, opener);
  menu.firstChild.focus();
}

// Below the opener where there is room, else above; towards the middle of its chat.
function place(menu, opener) {
  const { width, height } = menu.getBoundingClientRect();
  const at = opener.getBoundingClientRect();
  const chat = (opener.closest(".chat") ?? document.body).getBoundingClientRect();
  const isRight = at.left > chat.left + chat.width / 2;
  const below = at.bottom + 4 + height < innerHeight;
  menu.style.left = `${Math.min(Math.max(8, isRight ? at.right - width : at.left), innerWidth - width - 8)}px`;
  menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`;
}
