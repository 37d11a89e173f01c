/** Noise from seeds. The same seeds give the same images in every browser. */

const STREAMS = 2 ** 16; // number of streams per level, one for each cell
const STEPS = 2 ** 24; // numbers are multiples of 1 / STEPS, which float32 holds exactly

/** Returns a new seed, an integer in [0, 2^32). */
export function freshSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/**
 * Draws the noise of one sample in one level.
 *
 * @param {string} kind "uniform", on [0, 1), or "normal", standard
 * @param {number} dim how many numbers
 * @param {number} seed the seed of the level
 * @param {number} level the level; draws for other levels and cells are independent
 * @param {number} cell the cell
 * @returns {number[]}
 */
export function draw(kind, dim, seed, level, cell) {
  const next = generator(mixed(seed ^ mixed(level * STREAMS + cell)));
  return Array.from({ length: dim }, () => (kind === "normal" ? normal(next) : next()));
}

/**
 * Interpolates noise: on a line, or for normal noise on the arc between the two, which keeps the
 * typical length of normal noise (White, 2016, arXiv 1609.04468).
 *
 * @param {string} kind "uniform" or "normal"
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} t in [0, 1]
 * @returns {number[]}
 */
export function between(kind, from, to, t) {
  const [a, b] = kind === "normal" ? arc(from, to, t) : [1 - t, t];
  return from.map((value, i) => a * value + b * to[i]);
}

/** Returns the weights of both ends on the arc, or on the line if they have the same direction. */
function arc(from, to, t) {
  const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  const cosine = dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  if (!(sine > 1e-6)) return [1 - t, t];
  return [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

/** Returns a generator of numbers in [0, 1): mulberry32, with 24 bits per number. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 8) / STEPS;
  };
}

/** The Box-Muller transform. */
function normal(next) {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Mixes the bits of an integer: the end of MurmurHash3. */
function mixed(number) {
  let bits = number >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
