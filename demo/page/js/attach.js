/** Files on their way to the bot: the attach menu, drag and drop, paste, the preview, samples to play with. */

import { h } from "./dom.js";
import { bytes } from "./format.js";
import { t } from "./i18n.js";
import { dialog, popupMenu } from "./overlay.js";
import { samplePicture, sampleVoice } from "./samples.js";

/** Open the menu of the paper clip. */
export function attachMenu(composer, opener) {
  popupMenu(
    opener,
    [
      ["image", t("attach_media"), () => choose(composer, "image/*,video/*", false), "attach-media"],
      ["file", t("attach_file"), () => choose(composer, "", true), "attach-file"],
      ["wand", t("attach_picture"), () => sendSamples(composer, 1), "attach-picture"],
      ["wand", t("attach_album"), () => sendSamples(composer, 3), "attach-album"],
      ["mic", t("attach_voice"), () => sendVoice(composer), "attach-voice"],
    ],
    t("attach"),
  );
}

function choose(composer, accept, asFiles) {
  const input = h("input", {
    type: "file",
    multiple: true,
    accept,
    class: "visually-hidden",
    "data-testid": "file-input",
  });
  input.addEventListener("change", () => {
    input.remove();
    preview(composer, [...input.files], asFiles);
  });
  input.addEventListener("cancel", () => input.remove());
  document.body.append(input); // some browsers forget a file input that is not on the page
  input.click();
}

async function sendSamples(composer, number) {
  composer.element.classList.add("busy");
  const files = await Promise.all(Array.from({ length: number }, samplePicture));
  composer.element.classList.remove("busy");
  preview(composer, files, false);
}

async function sendVoice(composer) {
  const { file, seconds } = await sampleVoice();
  await composer.sendForm(makeForm([file], { kind: "voice", duration: seconds }));
}

/** Let files be dropped on the chat and pasted into it. */
export function takeDropsAndPastes(composer) {
  const { element } = composer;
  composer.field.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    preview(composer, files, false);
  });
  // The chat around the composer exists a moment later.
  queueMicrotask(() => takeDrops(composer, element.parentElement));
}

function takeDrops(composer, place) {
  const mark = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    place.classList.add("dropping");
  };
  place.append(h("div", { class: "drop-hint", "aria-hidden": "true" }, t("drop_here")));
  place.addEventListener("dragenter", mark);
  place.addEventListener("dragover", mark);
  place.addEventListener("dragleave", (event) => {
    if (!place.contains(event.relatedTarget)) place.classList.remove("dropping");
  });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("dropping");
    if (event.dataTransfer.files.length) preview(composer, [...event.dataTransfer.files], false);
  });
}

/** Show what will be sent; ask for a caption, and whether as files and as an album. */
export function preview(composer, files, asFiles) {
  const urls = files.map((file) => URL.createObjectURL(file));
  const caption = h("textarea", {
    class: "composer-field",
    rows: 2,
    maxlength: 1024,
    placeholder: t("caption"),
    "aria-label": t("caption"),
    "data-testid": "caption",
  });
  const plain = h("input", { type: "checkbox", checked: asFiles, "data-testid": "as-files" });
  const together = h("input", { type: "checkbox", checked: true, "data-testid": "as-album" });
  return dialog({ "aria-label": t("attach"), "data-testid": "attach-preview" }, (close) => {
    const send = () => {
      close();
      sendFiles(composer, files, { caption: caption.value, asFiles: plain.checked, asAlbum: together.checked });
    };
    caption.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      send();
    });
    return [
      h("h2", {}, t("send_files", { n: files.length })),
      h(
        "div",
        { class: "previews" },
        files.map((file, index) => thumbnail(file, urls[index])),
      ),
      h("label", { class: "check" }, plain, t("as_files")),
      files.length > 1 && h("label", { class: "check" }, together, t("as_album")),
      caption,
      h(
        "div",
        { class: "dialog-buttons" },
        h("button", { type: "button", class: "dialog-button", onclick: () => close() }, t("cancel")),
        h("button", { type: "button", class: "dialog-button", "data-testid": "attach-send", onclick: send }, t("send")),
      ),
    ].filter(Boolean);
  }).finally(() => urls.forEach((url) => URL.revokeObjectURL(url)));
}

function thumbnail(file, url) {
  if (file.type.startsWith("image/")) return h("img", { src: url, alt: file.name });
  return h(
    "div",
    { class: "preview-file" },
    h("span", { class: "ellipsis" }, file.name),
    h("span", { class: "muted small" }, bytes(file.size)),
  );
}

const kindOfFile = (file, asFiles) => {
  const major = file.type.split("/")[0];
  if (asFiles) return "document";
  if (file.type === "image/gif") return "animation";
  return { image: "photo", video: "video", audio: "audio" }[major] ?? "document";
};

/** Send files, those of one kind together; an album takes at most ten (Bot API, sendMediaGroup). */
async function sendFiles(composer, files, { caption, asFiles, asAlbum }) {
  const groups = Map.groupBy(files, (file) => kindOfFile(file, asFiles));
  let words = caption;
  for (const [kind, all] of groups) {
    const size = asAlbum && kind !== "animation" ? 10 : 1;
    for (let start = 0; start < all.length; start += size) {
      const part = all.slice(start, start + size);
      const facts = part.length === 1 ? await measure(part[0], kind) : {};
      await composer.sendForm(makeForm(part, { kind, caption: words, media_group: part.length > 1 ? 1 : 0, ...facts }));
      words = "";
    }
  }
}

function makeForm(files, fields) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  for (const [name, value] of Object.entries(fields)) if (value !== "" && value !== undefined) form.append(name, value);
  return form;
}

/** Return {duration, width, height} of a video or sound; the bot is told what Telegram's apps would tell it. */
function measure(file, kind) {
  if (kind !== "video" && kind !== "audio") return {};
  return new Promise((resolve) => {
    const url = URL.createObjectURL(file);
    const node = h(kind, { src: url, preload: "metadata" });
    const done = (facts) => {
      URL.revokeObjectURL(url);
      resolve(facts);
    };
    node.addEventListener("loadedmetadata", () =>
      done({
        duration: Math.round(node.duration),
        width: node.videoWidth || undefined,
        height: node.videoHeight || undefined,
      }),
    );
    node.addEventListener("error", () => done({}));
  });
}
