/** The path of one sample through the stack: class, G_{N-1}, …, h_1, G_0, image. */

import { low, make } from "./dom.js";
import { code, paint } from "./image.js";

const COLUMNS = 64; // largest number of values in a row
const SPREAD = 3; // range of the display of normal noise, in standard deviations

export class Stack {
  #model;
  #label = make("strong");
  #levels = [];
  #features = figure("h₁");
  #image = make("canvas", { className: "pixels", role: "img" });

  /**
   * @param {HTMLElement} element a list element, which is filled
   * @param {import("./api.js").Model} model
   * @param {{lock: (level: number) => void, share: (level: number) => void}} actions
   */
  constructor(element, model, { lock, share }) {
    this.#model = model;
    const items = [made("class", this.#label)];
    for (let i = model.dims.length - 1; i >= 0; i -= 1) {
      this.#levels[i] = this.#level(i, lock, share);
      items.push(this.#levels[i].item, this.#outcome(i));
    }
    element.replaceChildren(...items);
  }

  #level(i, lock, share) {
    const level = {
      noise: figure(`z${low(i)}`),
      lock: toggle(`Lock level ${i}`, () => lock(i)),
      share: toggle("Same for all", () => share(i), `Same for all: level ${i}`),
    };
    const makes = i ? `features h${low(i)}` : "the image";
    const head = make("p", { className: "head" }, make("b", {}, `Level ${i}`), ` makes ${makes}`);
    const buttons = make("div", { className: "buttons" }, level.lock, level.share);
    level.item = make("li", { className: "level" }, head, level.noise, buttons);
    return level;
  }

  #outcome(i) {
    if (i === 0) return made("image", this.#image);
    if (i === 1) return made("h₁", this.#features);
    return made(`h${low(i)}`, make("span", { className: "hint" }, "features"));
  }

  /**
   * Shows a sample.
   *
   * @param {Object} sample
   * @param {string} sample.name its name, for example "sample 3 of class 7"
   * @param {string} sample.className
   * @param {number[][]} sample.noise z_0, z_1, …
   * @param {number[][][]} [sample.image]
   * @param {Array} [sample.features] h_1, which the encoder computes from the image
   */
  show({ name, className, noise, image, features }) {
    this.#label.textContent = this.#model.classes.length > 1 ? className : "none: noise alone";
    noise.forEach((z, i) => {
      const normal = this.#model.noise[i] === "normal";
      const shades = normal ? z.map((value) => (value / SPREAD + 1) / 2) : z;
      fill(this.#levels[i].noise, shades, `z${low(i)} of ${name}: ${z.length} numbers`);
    });
    if (image) {
      paint(this.#image, image);
      this.#image.setAttribute("aria-label", name);
    }
    this.#features.hidden = !features;
    if (features) {
      const shown = map(features);
      const largest = Math.max(...shown.map(Math.abs)) || 1;
      const shades = shown.map((value) => Math.abs(value) / largest);
      fill(this.#features, shades, `h₁ of ${name}, as the encoder reads it in the image`);
    }
  }

  /**
   * Shows which levels are locked and shared.
   *
   * @param {import("./link.js").Level[]} levels
   */
  mark(levels) {
    levels.forEach(({ locked, shared }, i) => {
      this.#levels[i].lock.setAttribute("aria-pressed", locked);
      this.#levels[i].share.setAttribute("aria-pressed", shared !== null);
    });
  }
}

/** The output of a level, which is the input of the next. */
function made(what, ...children) {
  return make("li", { className: "made" }, make("span", { className: "what" }, what), ...children);
}

function figure(caption) {
  const canvas = make("canvas", { className: "code", role: "img", "aria-label": caption });
  return make("figure", { className: "numbers" }, make("figcaption", {}, caption), canvas);
}

function fill(figure, shades, name) {
  const canvas = figure.querySelector("canvas");
  code(canvas, shades, COLUMNS);
  canvas.setAttribute("aria-label", name);
}

function toggle(text, act, name = text) {
  const properties = { type: "button", className: "toggle", "aria-pressed": "false" };
  return make("button", { ...properties, "aria-label": name, onclick: act }, text);
}

/** Returns features as a list; feature maps are averaged over their channels. */
function map(features) {
  if (!Array.isArray(features[0])) return features;
  return features.flat().map((pixel) => pixel.reduce((sum, x) => sum + x, 0) / pixel.length);
}
