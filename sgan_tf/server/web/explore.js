/** The page: its State, and how it is shown. */

import { Model, exists, latest } from "./api.js";
import { byId, fail, make, say } from "./dom.js";
import { Grid } from "./grid.js";
import { gridPng, save } from "./image.js";
import { COUNTS, layout, link, readLink } from "./link.js";
import { draw, freshSeed } from "./noise.js";
import { Stack } from "./path.js";
import { Reading } from "./reading.js";
import { Walk } from "./walk.js";

const CHIPS = 12; // largest number of classes that are all shown as chips

class Explorer {
  #model;
  #state;
  #images = [];
  #sampling = latest((error, again) => {
    this.#grid.wait(false);
    fail(error, again);
  });
  #tracing = latest(fail);
  #grid = new Grid(byId("grid"), (cell) => this.#pick(cell));
  #stack;
  #walk;

  constructor(model) {
    this.#model = model;
    this.#stack = new Stack(byId("path"), model, {
      lock: (level) => this.#toggle(level, "locked"),
      share: (level) => this.#share(level),
    });
    this.#walk = new Walk(model, fail);
    new Reading(model, fail, () => this.#sample(this.#focus()));
    this.#controls();
    addEventListener("hashchange", () => this.#open());
    this.#open();
  }

  #controls() {
    const [height, width, channels] = this.#model.shape;
    byId("model").textContent = `${this.#model.name}: ${width} × ${height}, ${channels === 1 ? "grey" : "colour"}`;
    document.body.classList.toggle("tiny", Math.max(height, width) <= 64);
    byId("classes").hidden = this.#model.classes.length === 1;
    byId("classes").append(...chooser(this.#model.classes));
    byId("classes").addEventListener("change", ({ target }) => {
      this.#redraw({ label: target.value === "" ? null : Number(target.value) });
    });
    byId("count").append(...COUNTS.map((count) => make("option", { value: count }, `${count}`)));
    byId("count").addEventListener("change", ({ target }) => this.#redraw({ count: Number(target.value) }));
    byId("redraw").addEventListener("click", () => this.#anew());
    byId("save").addEventListener("click", () => this.#save());
    byId("copy").addEventListener("click", () => this.#copy());
  }

  /** Shows the state of the location's link. */
  #open() {
    this.#state = readLink(location.hash, this.#model);
    const { label, count } = this.#state;
    const chosen = byId("classes").querySelector(`[value="${label ?? ""}"]`);
    if (chosen) chosen[chosen.tagName === "OPTION" ? "selected" : "checked"] = true;
    byId("count").value = count;
    this.#redraw({});
  }

  /** Changes the state in a way that makes other samples. */
  #redraw(changes) {
    Object.assign(this.#state, changes);
    const { cells, columns } = layout(this.#state, this.#model);
    this.#state.picked = this.#state.picked.filter((cell) => cell < cells);
    this.#grid.layout({ cells, columns });
    this.#grid.wait(true);
    this.#mark();
    const asked = Array.from({ length: cells }, (_, cell) => this.#sample(cell));
    const inputs = { labels: asked.map(({ label }) => label) };
    this.#model.dims.forEach((_, i) => {
      inputs[`z${i}`] = asked.map(({ noise }) => noise[i]);
    });
    return this.#sampling(async (signal) => {
      say(`Drawing ${cells} samples…`);
      this.#images = (await this.#model.predict("decode", inputs, signal)).images;
      this.#grid.paint(this.#images);
      this.#grid.name((cell) => asked[cell].name);
      this.#grid.wait(false);
      say(`${cells} samples of ${this.#of(this.#state.label)}.`);
      this.#trace();
    });
  }

  /** Shows what is picked, locked and shared; the samples stay the same. */
  #mark() {
    history.replaceState(null, "", link(this.#state));
    this.#grid.mark(this.#state.picked);
    this.#stack.mark(this.#state.levels);
  }

  /** Shows the path of the sample that was picked last, and the walk between two. */
  #trace() {
    const sample = this.#sample(this.#focus());
    this.#stack.show(sample);
    const ends = this.#state.picked.map((cell) => this.#sample(cell));
    this.#walk.show(ends.every(({ image }) => image) ? ends : []);
    if (!this.#model.features.length || !sample.image) return;
    this.#tracing(async (signal) => {
      const { features } = await this.#model.predict("encode", { images: [sample.image] }, signal);
      this.#stack.show({ ...sample, features: features[0] });
    });
  }

  #focus() {
    return this.#state.picked.at(-1) ?? 0;
  }

  /** @returns {import("./walk.js").Sample} the sample of a cell */
  #sample(cell) {
    const { classes, dims, noise } = this.#model;
    const label = this.#state.label ?? cell % classes.length;
    return {
      cell,
      label,
      name: classes.length > 1 ? `sample ${cell + 1} of class ${classes[label]}` : `sample ${cell + 1}`,
      className: classes[label],
      image: this.#images[cell],
      noise: dims.map((dim, i) => {
        const { seed, shared } = this.#state.levels[i];
        return draw(noise[i], dim, seed, i, shared ?? cell);
      }),
    };
  }

  #of(label) {
    if (this.#model.classes.length === 1) return this.#model.name;
    return label === null ? "every class" : `class ${this.#model.classes[label]}`;
  }

  // What people do

  #pick(cell) {
    const others = this.#state.picked.filter((other) => other !== cell);
    const picked = others.length < this.#state.picked.length ? others : [...others, cell];
    this.#state.picked = picked.slice(-2);
    this.#mark();
    this.#trace();
  }

  #toggle(level, what) {
    this.#state.levels[level][what] = !this.#state.levels[level][what];
    this.#mark();
  }

  #share(level) {
    const levels = this.#state.levels;
    levels[level].shared = levels[level].shared === null ? this.#focus() : null;
    this.#redraw({});
  }

  #anew() {
    const free = this.#state.levels.filter(({ locked }) => !locked);
    if (!free.length) return say("All levels are locked: unlock one to draw samples anew.");
    free.forEach((level) => {
      level.seed = freshSeed();
    });
    return this.#redraw({});
  }

  async #save() {
    const { columns } = layout(this.#state, this.#model);
    if (!this.#images.length) return;
    const name = `${this.#model.name}-${this.#of(this.#state.label).replaceAll(/\W+/g, "-")}.png`;
    save(await gridPng(this.#images, columns), name);
    say(`Saved as ${name}.`);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied: it opens these very samples.");
    } catch {
      say("Copy the address of this page: it opens these very samples.");
    }
  }
}

/** Makes the choice of class: chips, or a list if there are many. An empty value is all classes. */
function chooser(classes) {
  const choices = [["", "all"], ...classes.map((name, k) => [`${k}`, name])];
  if (classes.length > CHIPS) {
    const options = choices.map(([value, text]) => make("option", { value }, text));
    return [make("select", { "aria-label": "Class" }, ...options)];
  }
  return choices.map(([value, text]) => {
    const radio = make("input", { type: "radio", name: "class", value });
    return make("label", { className: "chip" }, radio, make("span", {}, text));
  });
}

async function start() {
  say("Asking the server for its model…");
  try {
    const model = await Model.connect((seconds) => say(`The server is busy; asking again in ${seconds} s.`));
    byId("main").hidden = false;
    new Explorer(model);
  } catch (error) {
    fail(error, start);
  }
}

start();
exists("turing/state").then((there) => {
  byId("turing").hidden = !there;
});
