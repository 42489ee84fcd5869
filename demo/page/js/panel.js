/** "Behind the scenes": the bot's calls as they happen, Telegram's bad days, KIE's tasks, the person's money. */

import { callsTab } from "./calls.js";
import { h, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { ledgerTab } from "./ledger.js";
import { remember, remembered } from "./settings.js";
import { store } from "./store.js";
import { tasksTab } from "./tasks.js";
import { troubleTab } from "./trouble.js";

/** Draw the panel; `close` hides it, `acting` returns the id of the person whose money is shown. */
export function panel(close, acting) {
  const tabs = [
    ["calls", callsTab()],
    ["trouble", troubleTab()],
  ];
  if (store.kie) tabs.push(["tasks", tasksTab()]);
  if (store.hasLedger) tabs.push(["ledger", ledgerTab(acting)]);
  const element = h(
    "aside",
    { class: "panel", "data-testid": "panel", "aria-label": t("panel") },
    h("header", { class: "panel-header" }, h("h2", {}, t("panel")), iconButton("close", t("close"), close)),
    tabBar(tabs),
    tabs.map(([, body]) => body),
  );
  return element;
}

function tabBar(tabs) {
  const bar = h("div", { class: "tabs", role: "tablist" });
  const show = (name) => {
    remember("tab", name);
    tabs.forEach(([other, body], index) => {
      body.hidden = other !== name;
      bar.children[index].setAttribute("aria-selected", other === name);
      bar.children[index].tabIndex = other === name ? 0 : -1;
    });
  };
  for (const [name, body] of tabs) {
    body.setAttribute("role", "tabpanel");
    body.setAttribute("aria-label", t(name));
    bar.append(
      h(
        "button",
        { type: "button", role: "tab", class: "tab", "data-testid": `tab-${name}`, onclick: () => show(name) },
        t(name),
      ),
    );
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: "nextSibling", ArrowLeft: "previousSibling" }[event.key];
    document.activeElement[step]?.click();
    document.activeElement[step]?.focus();
  });
  const wanted = remembered("tab", "calls");
  show(tabs.some(([name]) => name === wanted) ? wanted : "calls");
  return bar;
}
