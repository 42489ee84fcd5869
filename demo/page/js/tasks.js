/** The tasks of KIE's stub, with buttons that decide how they end. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { has, language, t } from "./i18n.js";
import { attempt } from "./overlay.js";
import { store } from "./store.js";

const MAX_TASKS = 50;
const TASKS_EVERY_MS = 2_000;

const SPEEDS = [1, 5, 20, 100];

/** Draw the tab; it asks the stub again every two seconds while it is on show. */
export function tasksTab() {
  const place = h("div", { class: "tasks" });
  let shown = "";
  const draw = async () => {
    if (place.offsetParent === null) return;
    const tasks = (await api.getTasks(store.kie)).slice(-MAX_TASKS).reverse(); // the newest on top
    const state = JSON.stringify(tasks);
    if (state === shown) return; // keep the focus where it is
    shown = state;
    place.replaceChildren(
      ...(tasks.length ? tasks.map((task) => taskRow(task, draw)) : [h("p", { class: "muted" }, t("no_tasks"))]),
    );
  };
  const unreachable = () => {
    shown = "";
    place.replaceChildren(h("p", { class: "muted" }, t("tasks_unreachable", { url: store.kie })));
  };
  setInterval(() => draw().catch(unreachable), TASKS_EVERY_MS);
  queueMicrotask(() => draw().catch(unreachable));
  return h("div", { class: "tab-body scroll" }, h("h3", {}, t("kie_clock")), clockRow(), h("h3", {}, t("task_list")), place);
}

/** How fast KIE's clock runs, and a jump ahead: a video that takes minutes is there at once. */
function clockRow() {
  const show = (speed) =>
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", SPEEDS[index] === speed));
  const button = (label, fields, testid) =>
    h(
      "button",
      {
        type: "button",
        class: "chip-button",
        "data-testid": testid,
        onclick: () => attempt(() => api.setKieClock(store.kie, fields).then(look)),
      },
      label,
    );
  const buttons = SPEEDS.map((speed) => button(`${speed}×`, { speed }, `kie-speed-${speed}`));
  const look = () => api.getKieClock(store.kie).then(({ speed }) => show(speed));
  look().catch(() => show(null)); // the list below says that the stub does not answer
  return h("div", { class: "clock-row" }, buttons, button(t("forward_minutes"), { forward_s: 600 }, "kie-forward"));
}

const FINAL = ["success", "fail"];

function taskRow(task, redraw) {
  const move = (action) =>
    attempt(async () => {
      await api.moveTask(store.kie, task.task_id, action);
      await redraw();
    });
  const button = (action) =>
    h(
      "button",
      { type: "button", class: "chip-button", "data-testid": `task-${action}`, onclick: () => move(action) },
      t(action),
    );
  return h(
    "article",
    { class: "task", "data-testid": "task", "data-task-id": task.task_id },
    h(
      "div",
      { class: "task-head" },
      h("strong", { class: "ellipsis" }, task.model),
      h("span", { class: `chip state-${task.state}` }, has(`state_${task.state}`) ? t(`state_${task.state}`) : task.state),
    ),
    h("div", { class: "muted small ellipsis" }, task.task_id),
    h(
      "div",
      { class: "task-foot" },
      h(
        "span",
        { class: "muted small" },
        task.credits === null || task.credits === undefined ? "" : t("credits", { n: task.credits.toLocaleString(language) }),
      ),
      !FINAL.includes(task.state) && h("span", { class: "task-buttons" }, ["finish", "fail", "stall", "break"].map(button)),
    ),
  );
}
