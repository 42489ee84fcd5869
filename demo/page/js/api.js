/** Talk to the control plane of the local Telegram, and to KIE's stub. The calls are in demo/README.md. */

/** An answer other than 2xx; `message` is the server's own text. */
export class ApiError extends Error {}

async function call(method, path, body) {
  const options = { method };
  if (body instanceof FormData) {
    options.body = body;
  } else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

const person = (id, rest = "") => `/demo/people/${id}${rest}`;

export const getState = (person) => call("GET", person === undefined ? "/demo/state" : `/demo/state?person=${person}`);
export const addPerson = (fields) => call("POST", "/demo/people", fields);
export const changePerson = (id, fields) => call("PATCH", person(id), fields);
export const getMessages = (id, after = 0) => call("GET", person(id, `/messages?after=${after}`));
export const addGroup = (title, members) => call("POST", "/demo/groups", { title, members });
export const changeGroup = (id, fields) => call("PATCH", `/demo/groups/${id}`, fields);
export const sendText = (id, text, replyTo, chatId) =>
  call("POST", person(id, "/send"), { text, reply_to: replyTo, chat_id: chatId });
export const sendForm = (id, form) => call("POST", person(id, "/send"), form);
export const sendContact = (id) => call("POST", person(id, "/send"), { contact: true });
export const sendLocation = (id, place) => call("POST", person(id, "/send"), { location: place });
export const editText = (id, messageId, text, chatId) =>
  call("POST", person(id, "/edit"), { message_id: messageId, text, chat_id: chatId });
export const tap = (id, messageId, data, chatId) =>
  call("POST", person(id, "/tap"), { message_id: messageId, data, chat_id: chatId });
export const vote = (id, messageId, options, chatId) =>
  call("POST", person(id, "/vote"), { message_id: messageId, options, chat_id: chatId });
export const getInvoice = (id, link) => call("GET", person(id, `/invoice?link=${encodeURIComponent(link)}`));
export const pay = (id, bill, more) => call("POST", person(id, "/pay"), { ...bill, ...more });
export const getLedger = (id) => call("GET", person(id, "/ledger"));
export const refund = (id, chargeId) => call("POST", person(id, "/refund"), { charge_id: chargeId });
export const getCalls = (after) => call("GET", `/demo/calls?after=${after}`);
export const makeTrouble = (fields) => call("POST", "/demo/trouble", fields);
export const clearTrouble = () => call("DELETE", "/demo/trouble");
export const setClock = (fields) => call("POST", "/demo/clock", fields);
export const setLimits = (flood) => call("POST", "/demo/limits", { flood });
export const getPending = () => call("GET", "/demo/pending");
export const reset = () => call("POST", "/demo/reset");
export const getTasks = (kie) => call("GET", `${kie}/stub/tasks`);
export const getKieClock = (kie) => call("GET", `${kie}/stub/clock`);
export const setKieClock = (kie, fields) => call("POST", `${kie}/stub/clock`, fields);
export const makeKieTrouble = (kie, fields) => call("POST", `${kie}/stub/trouble`, fields);
export const calmKie = (kie) => call("DELETE", `${kie}/stub/trouble`);
export const setKie = (kie, fields) => call("POST", `${kie}/stub/settings`, fields);
export const moveTask = (kie, id, action) => call("POST", `${kie}/stub/tasks/${encodeURIComponent(id)}/${action}`);

const EVENTS = ["message", "edited", "deleted", "answer", "action", "person", "group", "call", "bot", "plugins"];

/**
 * Listen to the server's events for as long as the page is open; the browser reconnects by itself.
 * `onEvent(kind, data)` gets each event, `onConnection(up)` each change of the connection.
 */
export function listen(onEvent, onConnection) {
  const source = new EventSource("/demo/events");
  for (const kind of EVENTS) {
    source.addEventListener(kind, (event) => onEvent(kind, JSON.parse(event.data)));
  }
  source.addEventListener("open", () => onConnection(true));
  source.addEventListener("error", () => onConnection(false));
}
