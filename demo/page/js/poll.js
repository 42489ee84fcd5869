/** A poll or quiz in a bubble: its options to vote for, and what the others said once one has voted. */

import { h } from "./dom.js";
import { formatted } from "./entities.js";
import { t } from "./i18n.js";

/** The options ticked and not yet sent, of polls that take several answers, by poll and person. */
const ticked = new Map();

/** Return what is drawn of the poll in a message. */
export function pollBox(message, view) {
  const { poll } = message;
  const mine = message._votes[view.personId];
  const shown = poll.is_closed || (mine && !message._hides);
  const key = `${poll.id}-${view.personId}`;
  return h(
    "div",
    { class: "text poll", "data-testid": "poll" },
    poll.description && h("span", {}, formatted(poll.description, poll.description_entities, view)),
    h("strong", { dir: "auto", "data-testid": "message-text" }, poll.question),
    h("span", { class: "poll-kind" }, kindOf(poll)),
    poll.options.map((option, number) => optionRow(option, number, { message, view, mine, shown, key })),
    mine && poll.explanation && h("span", {}, formatted(poll.explanation, poll.explanation_entities, view)),
    h("span", { class: "poll-kind", "data-testid": "poll-votes" }, t("poll_votes", { n: poll.total_voter_count })),
    footer(message, view, mine, key),
  );
}

function kindOf(poll) {
  if (poll.is_closed) return t("poll_closed");
  if (poll.type === "quiz") return t(poll.is_anonymous ? "poll_quiz_anonymous" : "poll_quiz");
  return t(poll.is_anonymous ? "poll_anonymous" : "poll_public");
}

function optionRow(option, number, { message, view, mine, shown, key }) {
  const { poll } = message;
  const isMine = (mine ?? [...(ticked.get(key) ?? [])]).includes(number);
  const share = poll.total_voter_count ? Math.round((100 * option.voter_count) / poll.total_voter_count) : 0;
  const isRight = shown && poll.correct_option_ids?.includes(number);
  return h(
    "button",
    {
      type: "button",
      class: "poll-option",
      "data-testid": "poll-option",
      "data-right": isRight ? "true" : null,
      "aria-pressed": String(isMine),
      disabled: mine || poll.is_closed ? true : null,
      onclick: () => press(number, message, view, key),
    },
    h("span", { class: "poll-mark", "aria-hidden": "true" }, isMine ? "✓" : ""),
    h("span", { class: "poll-label", dir: "auto" }, option.text),
    shown && h("span", { class: "poll-share" }, `${share} %`),
    shown && bar(share),
  );
}

function bar(share) {
  const node = h("span", { class: "poll-bar", "aria-hidden": "true" });
  node.style.width = `${share}%`; // by the page's own script: its Content-Security-Policy allows no style attribute
  return node;
}

function press(number, message, view, key) {
  if (!message.poll.allows_multiple_answers) return view.vote(message.message_id, [number]);
  const chosen = ticked.get(key) ?? new Set();
  ticked.set(key, chosen);
  if (!chosen.delete(number)) chosen.add(number);
  return view.list.redraw(message.message_id);
}

/** The button below: to send what is ticked, or to take a vote back. */
function footer(message, view, mine, key) {
  const { poll } = message;
  if (poll.is_closed) return null;
  if (mine) return poll.allows_revoting ? action("poll_retract", () => view.vote(message.message_id, [])) : null;
  const chosen = ticked.get(key);
  if (!chosen?.size) return null;
  return action("poll_vote", () => {
    ticked.delete(key);
    return view.vote(message.message_id, [...chosen]);
  });
}

function action(key, onclick) {
  return h("button", { type: "button", class: "poll-action", "data-testid": key.replace("_", "-"), onclick }, t(key));
}
