/**
 * The state of the page, and the link to it: `#class=7&count=36&z0=1234&z1=5678@3&lock=1&pick=3,8`.
 *
 * @typedef {Object} Level
 * @property {number} seed the seed of its noise
 * @property {number|null} shared the cell whose noise all cells use; null if each has its own
 * @property {boolean} locked whether it keeps its noise when new samples are drawn
 *
 * @typedef {Object} State
 * @property {number|null} label the class; null for all classes
 * @property {number} count samples, one of `COUNTS`
 * @property {Level[]} levels the levels from 0 up
 * @property {number[]} picked the picked cells, at most two
 */

import { freshSeed } from "./noise.js";

export const COUNTS = [16, 36, 64];
const COLUMNS = 12; // largest number of classes that have one column each
const SEED = /^(\d{1,10})(?:@(\d{1,4}))?$/;

/**
 * Reads a link. Missing or invalid parts get the values of a first visit.
 *
 * @param {string} hash the hash of the location
 * @param {import("./api.js").Model} model
 * @returns {State}
 */
export function readLink(hash, model) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const label = integer(given.get("class"), model.classes.length);
  const count = Number(given.get("count"));
  const locked = integers(given.get("lock"), model.dims.length);
  const state = {
    label: model.classes.length === 1 ? 0 : label,
    count: COUNTS.includes(count) ? count : COUNTS[1],
    levels: model.dims.map((_, i) => ({ ...seeded(given.get(`z${i}`)), locked: locked.includes(i) })),
  };
  return { ...state, picked: integers(given.get("pick"), layout(state, model).cells).slice(0, 2) };
}

/**
 * Returns the link to a state, starting with #.
 *
 * @param {State} state
 * @returns {string}
 */
export function link({ label, count, levels, picked }) {
  const parts = [`count=${count}`];
  if (label !== null) parts.unshift(`class=${label}`);
  levels.forEach(({ seed, shared }, i) => {
    parts.push(`z${i}=${seed}${shared === null ? "" : `@${shared}`}`);
  });
  const locked = [...levels.keys()].filter((i) => levels[i].locked);
  if (locked.length) parts.push(`lock=${locked}`);
  if (picked.length) parts.push(`pick=${picked}`);
  return `#${parts.join("&")}`;
}

/**
 * Returns the layout of the grid: a square, or for all classes one column each if there are few.
 *
 * @param {State} state
 * @param {import("./api.js").Model} model
 * @returns {{columns: number, cells: number}}
 */
export function layout({ label, count }, model) {
  const byClass = label === null && model.classes.length <= COLUMNS;
  const columns = byClass ? model.classes.length : Math.sqrt(count);
  return { columns, cells: columns * Math.ceil(count / columns) };
}

function seeded(text) {
  const found = SEED.exec(text ?? "");
  const seed = found ? Number(found[1]) : 2 ** 32;
  if (seed >= 2 ** 32) return { seed: freshSeed(), shared: null };
  return { seed, shared: found[2] === undefined ? null : Number(found[2]) };
}

function integers(text, end) {
  const numbers = (text ?? "").split(",").map((part) => integer(part, end));
  return [...new Set(numbers.filter((number) => number !== null))];
}

function integer(text, end) {
  return /^\d{1,9}$/.test(text ?? "") && Number(text) < end ? Number(text) : null;
}
