/** Draw what a message carries besides text: photos, albums, videos, sounds, files. */

import { h, icon } from "./dom.js";
import { bytes } from "./format.js";
import { t } from "./i18n.js";
import { lightbox } from "./overlay.js";
import { player } from "./player.js";
import { kindOf } from "./service.js";

const MAX_WIDTH = 420;
const MAX_HEIGHT = 460;
const MIN_SIDE = 120;

/** Kinds that fill the bubble to its edges; the time then lies on the picture when there is no caption. */
export const VISUAL = ["photo", "video", "animation"];

/** Return the node for the content of one message, or null for a text. */
export function media(message) {
  const kind = kindOf(message);
  return kind ? DRAW[kind](message[kind], message) : null;
}

/** Return what the node depends on: when it is the same after an edit, the node is kept and a video plays on. */
export function mediaKey(message) {
  const kind = kindOf(message);
  return kind ? JSON.stringify([kind, message[kind], message.has_media_spoiler]) : "";
}

/** Return the grid of an album's photos and videos, or the list of its files. */
export function album(messages) {
  if (!messages.every((message) => VISUAL.includes(kindOf(message)))) {
    return h(
      "div",
      { class: "album-list" },
      messages.map((message) => albumItem(message, media(message))),
    );
  }
  const photos = messages.filter((message) => message.photo);
  const spans = rows(messages.length).flatMap((count) => Array(count).fill(6 / count));
  return h(
    "div",
    { class: "album-grid" },
    messages.map((message, index) => {
      const content = message.photo ? photoButton(message, photos.map(slide), photos.indexOf(message)) : media(message);
      const item = albumItem(message, content);
      item.classList.add(`span-${spans[index]}`);
      return item;
    }),
  );
}

function albumItem(message, content) {
  return h("div", { class: "album-item", "data-testid": "album-item", "data-message-id": message.message_id }, content);
}

/** Return how many pictures stand in each row of an album of 1 to 10. */
function rows(count) {
  return (
    {
      1: [1],
      2: [2],
      3: [1, 2],
      4: [2, 2],
      5: [2, 3],
      6: [3, 3],
      7: [2, 2, 3],
      8: [2, 3, 3],
      9: [3, 3, 3],
      10: [2, 2, 3, 3],
    }[count] ?? Array(count).fill(1)
  );
}

const largest = (message) => message.photo.reduce((a, b) => (b.width > a.width ? b : a));
const slide = (message) => ({ url: largest(message)._url, caption: message.caption });

/** Give a box the size Telegram would, before the file is there: the chat must not jump when it loads. */
function sized(node, width, height) {
  if (!width || !height) return node;
  const scale = Math.min(1, MAX_WIDTH / width, MAX_HEIGHT / height);
  node.style.width = `${Math.max(MIN_SIDE, Math.round(width * scale))}px`;
  node.style.aspectRatio = `${Math.max(MIN_SIDE, width)} / ${Math.max(MIN_SIDE, height)}`;
  return node;
}

function photoButton(message, slides, index) {
  const { _url: url, width, height } = largest(message);
  const open = () =>
    button.classList.contains("veiled") ? button.classList.remove("veiled") : lightbox(slides, index);
  const button = h(
    "button",
    { type: "button", class: "photo", "aria-label": `${t("open_photo")}: ${message.caption ?? ""}`, onclick: open },
    h("img", { src: url, alt: message.caption ?? t("photo"), loading: "lazy", decoding: "async" }),
  );
  if (message.has_media_spoiler) button.classList.add("veiled");
  return sized(button, width, height);
}

function video(file, message) {
  const node = h("video", {
    src: file._url,
    poster: file.thumbnail?._url,
    controls: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": message.caption ?? t("video"),
  });
  return sized(h("div", { class: "video" }, node), file.width, file.height);
}

function animation(file) {
  const isImage = file.mime_type === "image/gif";
  const node = isImage
    ? h("img", { src: file._url, alt: t("animation") })
    : h("video", { src: file._url, autoplay: true, loop: true, playsinline: true, "aria-label": t("animation") });
  node.muted = true;
  return sized(h("div", { class: "video" }, node), file.width, file.height);
}

function videoNote(file) {
  return h(
    "div",
    { class: "video-note" },
    h("video", {
      src: file._url,
      controls: true,
      playsinline: true,
      preload: "metadata",
      "aria-label": t("video_note"),
    }),
  );
}

function documentFile(file) {
  const name = file.file_name ?? t("document");
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4) : "";
  const cover = file.thumbnail?._url
    ? h("img", { class: "file-cover", src: file.thumbnail._url, alt: "" })
    : h("span", { class: "file-cover", "data-extension": extension.toLowerCase() }, extension || icon("file"));
  return h(
    "a",
    { class: "file", href: file._url, download: name, "aria-label": t("download", { name }) },
    cover,
    h("span", { class: "file-name", dir: "auto" }, name),
    h("span", { class: "file-size" }, bytes(file.file_size)),
  );
}

function sticker(file) {
  return h(
    "div",
    { class: "sticker" },
    file._url && !file.is_animated
      ? h("img", { src: file._url, alt: file.emoji ?? t("sticker") })
      : (file.emoji ?? "🖼"),
  );
}

function contact(person) {
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-cover" }, "👤"),
    h("span", { class: "file-name" }, [person.first_name, person.last_name].filter(Boolean).join(" ")),
    h("span", { class: "file-size" }, person.phone_number),
  );
}

function location({ latitude, longitude }) {
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-cover" }, "📍"),
    h("span", { class: "file-name" }, t("location")),
    h("span", { class: "file-size" }, `${latitude}, ${longitude}`),
  );
}

const DRAW = {
  photo: (sizes, message) => photoButton(message, [slide(message)], 0),
  video,
  animation,
  audio: (file) => player(file, "audio"),
  voice: (file) => player(file, "voice"),
  video_note: videoNote,
  document: documentFile,
  sticker,
  contact,
  location,
};
