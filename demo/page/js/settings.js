/** What this browser remembers: theme, language, who is acting. `?theme=dark&lang=ru&as=1001` in the address wins once. */

const PREFIX = "demo.";
const address = new URLSearchParams(location.search);

/** Return a remembered value, or `fallback`. Values are strings. */
export function remembered(name, fallback = null) {
  return address.get(name) ?? localStorage.getItem(PREFIX + name) ?? fallback;
}

/** Keep a value for the next visit. */
export function remember(name, value) {
  address.delete(name);
  localStorage.setItem(PREFIX + name, String(value));
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Put the theme on the page: the remembered one, else the system's. */
export function applyTheme() {
  document.documentElement.dataset.theme = remembered("theme") ?? (dark.matches ? "dark" : "light");
}

/** Change between light and dark, and remember it. */
export function toggleTheme() {
  remember("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  applyTheme();
}

dark.addEventListener("change", applyTheme);
