/** What became of a plugin that was saved while the bot runs with --reload. */

import { h } from "./dom.js";
import { t } from "./i18n.js";
import { toast } from "./overlay.js";
import { store } from "./store.js";

/** Return the bar that names plugins which do not load; it is hidden while all is well. */
export function problemsBar() {
  const list = h("ul", { role: "list" });
  const bar = h(
    "div",
    { class: "problems", role: "alert", "data-testid": "problems", hidden: true },
    h("strong", {}, t("plugin_broken")),
    list,
  );
  store.on("plugins", ({ loaded, problems }) => {
    list.replaceChildren(...problems.map((text) => h("li", {}, text)));
    bar.hidden = problems.length === 0;
    if (loaded.length) toast(t("plugin_loaded", { names: loaded.join(", ") }));
  });
  return bar;
}
