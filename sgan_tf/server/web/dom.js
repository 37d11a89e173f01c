/** Elements, and messages to people. */

/** @returns {HTMLElement} the element of index.html with an id */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Object<string, *>} properties its properties, or attributes if there is no such property
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * Shows a message, which screen readers announce.
 *
 * @param {string} text
 */
export function say(text) {
  show(text, null);
}

/**
 * Shows an error.
 *
 * @param {Error} error
 * @param {() => void} [again] repeats what failed
 */
export function fail(error, again = null) {
  show(error.message, again);
  byId("status").classList.add("error");
}

function show(text, again) {
  byId("status").classList.remove("error");
  byId("said").textContent = text;
  byId("again").hidden = again === null;
  byId("again").onclick = again;
}

/** Returns a number in subscript digits, for the index of z and h: ₁₂. */
export const low = (number) => `${number}`.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
