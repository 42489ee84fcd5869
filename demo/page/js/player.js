/** A small player for audio and voice messages, in the manner of Telegram: round button, position, time. */

import { h, icon } from "./dom.js";
import { bytes, duration } from "./format.js";
import { t } from "./i18n.js";

let playing = null; // only one sounds at a time

/** Return a player for an Audio or Voice object of the Bot API. */
export function player(file, kind) {
  const sound = h("audio", { src: file._url, preload: "metadata" });
  const button = h(
    "button",
    { type: "button", class: "round-button", "aria-label": t("play"), onclick: toggle },
    icon("play"),
  );
  const position = h("input", {
    type: "range",
    min: 0,
    max: 1000,
    value: 0,
    "aria-label": t("position"),
    oninput: seek,
  });
  const clock = h("span", { class: "player-time" });
  const title = kind === "voice" ? null : [file.performer, file.title ?? file.file_name].filter(Boolean).join(" – ");
  const length = () => (Number.isFinite(sound.duration) ? sound.duration : (file.duration ?? 0));

  function toggle() {
    if (!sound.paused) return sound.pause();
    if (playing && playing !== sound) playing.pause();
    playing = sound;
    return sound.play();
  }

  function seek() {
    sound.currentTime = (position.value / 1000) * length();
  }

  function draw() {
    position.value = length() ? (sound.currentTime / length()) * 1000 : 0;
    position.style.setProperty("--played", `${position.value / 10}%`);
    button.replaceChildren(icon(sound.paused ? "play" : "pause"));
    button.setAttribute("aria-label", t(sound.paused ? "play" : "pause"));
    const time = sound.currentTime ? `${duration(sound.currentTime)} / ${duration(length())}` : duration(length());
    clock.textContent = [time, kind === "audio" && bytes(file.file_size)].filter(Boolean).join(" · ");
  }

  for (const name of ["play", "pause", "ended", "timeupdate", "loadedmetadata", "seeked"])
    sound.addEventListener(name, draw);
  draw();
  return h(
    "div",
    { class: `player ${kind}` },
    button,
    h(
      "div",
      { class: "player-body" },
      title && h("span", { class: "player-title ellipsis", dir: "auto" }, title),
      position,
      clock,
    ),
    sound,
  );
}
