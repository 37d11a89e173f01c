/** A walk between two samples, in the noise of one level or of all. */

import { latest } from "./api.js";
import { byId, low, make } from "./dom.js";
import { paint } from "./image.js";
import { between } from "./noise.js";

const FRAMES = 25;
const SHOWN = 3; // every third frame is shown below the slider

/**
 * One of the samples of the grid.
 *
 * @typedef {Object} Sample
 * @property {string} name for example "sample 3 of class 7"
 * @property {string} className
 * @property {number} label
 * @property {number[][]} noise z_0, z_1, …
 * @property {number[][][]} image
 */

export class Walk {
  #model;
  #run;
  #ends = [];
  #frames = [];
  #slider = byId("walk-slider");
  #strip = Array.from({ length: Math.ceil(FRAMES / SHOWN) }, () => make("canvas"));

  /**
   * @param {import("./api.js").Model} model
   * @param {(error: Error, again: () => void) => void} fail
   */
  constructor(model, fail) {
    [this.#model, this.#run] = [model, latest(fail)];
    byId("walk-levels").append(...this.#choices());
    byId("walk-levels").addEventListener("change", () => this.#walk());
    byId("walk-strip").append(...this.#strip);
    this.#slider.max = FRAMES - 1;
    this.#slider.addEventListener("input", () => this.#step());
  }

  #choices() {
    const levels = [...this.#model.dims.keys()].reverse();
    const choices = levels.map((i) => [`${i}`, `z${low(i)} (level ${i})`]);
    if (levels.length > 1) choices.push(["all", "all levels"]);
    return choices.map(([value, text], n) => {
      const radio = make("input", { type: "radio", name: "walk-level", value, checked: n === 0 });
      return make("label", { className: "chip" }, radio, make("span", {}, text));
    });
  }

  /**
   * Walks between two samples; with fewer it shows what to do.
   *
   * @param {Sample[]} ends
   */
  show(ends) {
    byId("walk-hint").hidden = ends.length === 2;
    byId("walk-body").hidden = ends.length < 2;
    this.#ends = ends;
    if (ends.length < 2) return;
    ends.forEach(({ image, name }, i) => {
      const canvas = byId(`walk-end-${"ab"[i]}`);
      paint(canvas, image);
      canvas.setAttribute("aria-label", name);
    });
    byId("walk-title").textContent = `Walk from ${ends[0].name} to ${ends[1].name}`;
    this.#walk();
  }

  #walk() {
    const [from, to] = this.#ends;
    const chosen = document.querySelector("[name=walk-level]:checked").value;
    const inputs = { labels: Array(FRAMES).fill(from.label) };
    from.noise.forEach((z, i) => {
      const moves = chosen === "all" || chosen === `${i}`;
      const at = (t) => (moves ? between(this.#model.noise[i], z, to.noise[i], t) : z);
      inputs[`z${i}`] = Array.from({ length: FRAMES }, (_, frame) => at(frame / (FRAMES - 1)));
    });
    return this.#run(async (signal) => {
      this.#frames = (await this.#model.predict("decode", inputs, signal)).images;
      this.#strip.forEach((canvas, i) => paint(canvas, this.#frames[i * SHOWN]));
      this.#step();
    });
  }

  #step() {
    const frame = Number(this.#slider.value);
    if (!this.#frames[frame]) return;
    const [from, to] = this.#ends;
    const text = `${Math.round((100 * frame) / (FRAMES - 1))} % of the way`;
    paint(byId("walk-image"), this.#frames[frame]);
    byId("walk-image").setAttribute("aria-label", `${text} from ${from.name} to ${to.name}`);
    this.#slider.setAttribute("aria-valuetext", text);
    this.#strip.forEach((canvas, i) => canvas.classList.toggle("here", i === Math.round(frame / SHOWN)));
  }
}
