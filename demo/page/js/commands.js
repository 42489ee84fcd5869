/** The bot's commands above the text field: all of them from the menu button, the fitting ones while one types "/". */

import { h } from "./dom.js";
import { t } from "./i18n.js";

/** The list of one Composer. */
export class CommandList {
  constructor(composer) {
    this.composer = composer;
    this.element = h("div", {
      class: "suggestions",
      role: "group",
      "aria-label": t("bot_commands"),
      hidden: true,
      onkeydown: (event) => this.onKey(event),
    });
  }

  /** The commands as this person sees them: [{command, description}]. */
  get all() {
    return this.composer.view.profile.commands ?? [];
  }

  get isOpen() {
    return !this.element.hidden;
  }

  toggle() {
    if (this.isOpen) this.hide();
    else this.show("/");
  }

  /** Show the commands that begin with `start`, e.g. "/ba". */
  show(start) {
    const fitting = this.all.filter(({ command }) => `/${command}`.startsWith(start));
    this.element.hidden = fitting.length === 0;
    this.element.replaceChildren(...fitting.map((command) => this.row(command)));
  }

  row({ command, description }) {
    return h(
      "button",
      { type: "button", class: "suggestion", "data-testid": "bot-command", onclick: () => this.use(`/${command}`) },
      h("span", { class: "suggestion-command" }, `/${command}`),
      h("span", { class: "muted ellipsis" }, description),
    );
  }

  hide() {
    this.element.hidden = true;
  }

  focusLast() {
    this.element.lastChild?.focus();
  }

  onKey(event) {
    const step = { ArrowDown: "nextSibling", ArrowUp: "previousSibling" }[event.key];
    const next = document.activeElement[step];
    if (event.key === "Escape") this.hide();
    if (step) event.preventDefault();
    if (next) next.focus();
    else if (event.key === "Escape" || event.key === "ArrowDown") this.composer.focus();
  }

  use(text) {
    this.hide();
    this.composer.clear();
    this.composer.view.sendText(text);
  }
}
