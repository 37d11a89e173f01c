/** An image from the visitor: its class, reconstructions, and images with the same features. */

import { latest } from "./api.js";
import { byId, low, make, say } from "./dom.js";
import { inverted, paint, readFile } from "./image.js";
import { draw, freshSeed } from "./noise.js";

const MOST = 10; // largest number of classes that are shown
const COUNT = 8; // number of images in a row

export class Reading {
  #model;
  #run;
  #fail;
  #image = null;
  #known = null;

  /**
   * @param {import("./api.js").Model} model
   * @param {(error: Error, again?: () => void) => void} fail
   * @param {() => import("./walk.js").Sample|null} selected returns the selected sample
   */
  constructor(model, fail, selected) {
    [this.#model, this.#run, this.#fail] = [model, latest(fail), fail];
    byId("file").addEventListener("change", ({ target }) => {
      this.#open(target.files[0]);
      target.value = ""; // so that the same file can be chosen again
    });
    byId("take").addEventListener("click", () => {
      const sample = selected();
      if (sample?.image) this.#take(sample.image, sample.name);
    });
    byId("invert").addEventListener("change", () => this.#read());
    byId("vary").addEventListener("click", () => this.#vary());
    this.#listen(byId("drop"));
  }

  #listen(zone) {
    const over = (event, inside) => {
      event.preventDefault(); // otherwise the browser would open the file
      zone.classList.toggle("over", inside);
    };
    zone.addEventListener("dragover", (event) => over(event, true));
    zone.addEventListener("dragleave", (event) => over(event, false));
    zone.addEventListener("drop", (event) => {
      over(event, false);
      this.#open(event.dataTransfer.files[0]);
    });
    for (const type of ["dragover", "drop"]) {
      window.addEventListener(type, (event) => event.preventDefault()); // outside the zone too
    }
  }

  async #open(file) {
    if (!file) return;
    try {
      this.#take(await readFile(file, this.#model.shape), file.name);
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(image, name) {
    this.#image = image;
    byId("given-name").textContent = name;
    this.#read();
  }

  /** Asks for the class, features and noise that the encoder and Q infer from the image. */
  #read() {
    if (!this.#image) return undefined;
    const image = byId("invert").checked ? inverted(this.#image) : this.#image;
    return this.#run(async (signal) => {
      say("Reading the image…");
      const known = await this.#model.predict("encode", { images: [image] }, signal);
      this.#known = {
        probabilities: known.probabilities[0],
        label: known.probabilities[0].indexOf(Math.max(...known.probabilities[0])),
        features: this.#model.features.map(({ feature }) => known[feature][0]),
        noise: this.#model.dims.map((_, i) => known[`z${i}`][0]),
      };
      byId("read").hidden = false;
      paint(byId("given"), image);
      this.#showClasses();
      await this.#draw(signal);
      say(this.#summary());
    });
  }

  #vary() {
    return this.#run((signal) => this.#draw(signal));
  }

  #summary() {
    const { probabilities, label } = this.#known;
    const percent = Math.round(100 * probabilities[label]);
    const name = this.#model.classes[label];
    return probabilities.length > 1 ? `Read as ${name}, at ${percent} %.` : "The image is read.";
  }

  #showClasses() {
    const { probabilities } = this.#known;
    byId("bars-panel").hidden = probabilities.length === 1;
    const order = [...probabilities.keys()];
    if (order.length > MOST) order.sort((a, b) => probabilities[b] - probabilities[a]);
    const bars = order.slice(0, MOST).map((k) => {
      const share = `${(100 * probabilities[k]).toFixed(1)} %`;
      const bar = make("span", { className: "bar", "aria-hidden": "true" }, make("span"));
      bar.firstChild.style.width = `${100 * probabilities[k]}%`;
      const item = make("li", {}, make("span", { className: "class" }, this.#model.classes[k]), bar, share);
      item.classList.toggle("best", k === this.#known.label);
      return item;
    });
    byId("bars").replaceChildren(...bars);
  }

  /** Draws reconstructions and variations, with one request per h_i and one for the class. */
  async #draw(signal) {
    const { features, label, noise } = this.#known;
    const redrawn = noise.map((_, i) => this.#fresh(i)); // COUNT new z_i for each level
    const zs = [noise, ...redrawn.flatMap((rows, i) => rows.map((z) => noise.with(i, z)))];
    const inputs = { labels: zs.map(() => label), ...columns(zs) };
    const [whole, ...hands] = (await this.#model.predict("decode", inputs, signal)).images;
    const rebuilt = [[`level ${noise.length - 1}: the class, all noise as read`, whole]];
    const rows = [];
    for (const [i, { level, feature, render }] of this.#model.features.entries()) {
      const below = noise.slice(0, level);
      const draws = [below, ...redrawn[0].map((_, cell) => below.map((_, j) => redrawn[j][cell]))];
      const from = { [feature]: draws.map(() => features[i]), ...columns(draws) };
      const [image, ...varied] = (await this.#model.predict(render, from, signal)).images;
      const [h, z] = [`h${low(level)}`, below.map((_, j) => `z${low(j)}`).join(", ")];
      rebuilt.splice(1, 0, [`level ${level - 1}: ${h} and ${z} as read`, image]);
      rows.unshift([`Variations: ${h} kept, ${z} new`, varied]);
    }
    const name = this.#model.classes.length > 1 ? `The same ${this.#model.classes[label]}` : "The same";
    noise.forEach((_, i) => {
      const what = i ? "other features" : "another hand";
      rows.push([`${name}, ${what}: z${low(i)} new, all else kept`, hands.slice(i * COUNT, (i + 1) * COUNT)]);
    });
    this.#show(rebuilt, rows);
  }

  /** Draws new noise of a level for each image of a row. */
  #fresh(level) {
    const [kind, dim, seed] = [this.#model.noise[level], this.#model.dims[level], freshSeed()];
    return Array.from({ length: COUNT }, (_, cell) => draw(kind, dim, seed, level, cell));
  }

  #show(rebuilt, rows) {
    byId("rebuilt").replaceChildren(
      ...rebuilt.map(([caption, image]) =>
        make("figure", {}, drawn(image, `reconstruction from ${caption}`), make("figcaption", {}, caption)),
      ),
    );
    byId("varied").replaceChildren(
      ...rows.flatMap(([caption, images]) => [
        make("h4", {}, caption),
        make("div", { className: "row" }, ...images.map((image, i) => drawn(image, `${caption}, ${i + 1}`))),
      ]),
    );
  }
}

/** Returns `{z0: rows, z1: rows, …}` from a list with `[z_0, z_1, …]` for each row. */
function columns(zs) {
  return Object.fromEntries(zs[0].map((_, i) => [`z${i}`, zs.map((z) => z[i])]));
}

function drawn(image, name) {
  const canvas = make("canvas", { className: "pixels", role: "img", "aria-label": name });
  paint(canvas, image);
  return canvas;
}
