/** Elements, and what is said to people. */

/** @returns {HTMLElement} the element of an id, which stands in index.html */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Object<string, *>} properties attributes, where the element has no such property
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
 * Says something where all can see it, and screen readers read it.
 *
 * @param {string} text
 */
export function say(text) {
  show(text, null);
}

/**
 * Says what went wrong.
 *
 * @param {Error} error
 * @param {() => void} [again] tries it once more
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

/** Returns a number set low, as the index of z and h: ₁₂. */
export const low = (number) => `${number}`.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
