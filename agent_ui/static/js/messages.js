// The browser's own words in the page's language, from the data block that base.html carries.

const block = document.getElementById("messages");
const messages = block ? JSON.parse(block.textContent) : {};

/** The message in the page's language; %(name)s is filled from `values`. */
export function t(message, values = {}) {
  const text = messages[message] ?? message;
  return text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}
