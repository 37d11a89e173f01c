/** The grid of samples. The Tab key stops at it once, and the arrow keys move in it. */

import { make } from "./dom.js";
import { paint } from "./image.js";

const TAGS = ["A", "B"];

export class Grid {
  #element;
  #cells = [];
  #columns = 1;

  /**
   * @param {HTMLElement} element
   * @param {(cell: number) => void} pick called with the chosen cell
   */
  constructor(element, pick) {
    this.#element = element;
    element.addEventListener("click", ({ target }) => {
      const cell = this.#cells.indexOf(target.closest("button"));
      if (cell >= 0) pick(cell);
    });
    element.addEventListener("keydown", (event) => this.#move(event));
  }

  /**
   * Lays out empty cells, unless they exist already.
   *
   * @param {{columns: number, cells: number}} layout
   */
  layout({ columns, cells }) {
    this.#columns = columns;
    this.#element.style.setProperty("--columns", columns);
    if (cells === this.#cells.length) return;
    this.#cells = Array.from({ length: cells }, (_, cell) =>
      make(
        "button",
        { type: "button", className: "cell empty", tabIndex: cell ? -1 : 0, "aria-pressed": "false" },
        make("canvas"),
        make("span", { className: "tag", "aria-hidden": "true" }),
      ),
    );
    this.name((cell) => `sample ${cell + 1}, not drawn yet`);
    this.#element.replaceChildren(...this.#cells);
  }

  /** Shows whether new samples are on their way. */
  wait(waiting) {
    this.#element.setAttribute("aria-busy", waiting);
  }

  /** Draws an image into each cell. */
  paint(images) {
    images.forEach((image, cell) => {
      paint(this.#cells[cell].querySelector("canvas"), image);
      this.#cells[cell].classList.remove("empty");
    });
  }

  /** Names the cells; `name` is a function of their numbers. */
  name(name) {
    this.#cells.forEach((button, cell) => {
      button.setAttribute("aria-label", name(cell));
      button.title = name(cell);
    });
  }

  /** Marks the cells that are picked. */
  mark(picked) {
    this.#cells.forEach((button, cell) => {
      const place = picked.indexOf(cell);
      button.setAttribute("aria-pressed", place >= 0);
      button.querySelector(".tag").textContent = place >= 0 ? TAGS[place] : "";
    });
  }

  #move(event) {
    const from = this.#cells.indexOf(document.activeElement);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const ends = { Home: 0, End: this.#cells.length - 1 };
    const to = ends[event.key] ?? from + steps[event.key];
    if (from < 0 || !(to in this.#cells)) return;
    event.preventDefault();
    [this.#cells[from].tabIndex, this.#cells[to].tabIndex] = [-1, 0];
    this.#cells[to].focus();
  }
}
