/**
 * The parts of TF Serving's REST interface that the page uses.
 * https://www.tensorflow.org/tfx/serving/api_rest
 */

const ROWS = 256; // largest number of rows in a request
const ATTEMPTS = 4; // number of attempts when the server is busy

/** An error whose message is shown to people. */
export class Trouble extends Error {}

/**
 * The served model.
 *
 * @property {string} name the name under which it is served
 * @property {number[]} dims the sizes of z_0, z_1, …
 * @property {number[]} shape height, width and channels of images
 * @property {{level: number, feature: string, render: string}[]} features h_1, h_2, … below the
 *   class: the name of each tensor, and of the signature that makes images from it
 * @property {string[]} classes the names of the classes; numbers if the server does not give names
 * @property {string[]} noise "uniform" or "normal" for each level
 */
export class Model {
  #signatures;
  #busy;

  /**
   * Asks the server for its model.
   *
   * @param {(seconds: number) => void} busy called when the server asks to wait
   * @returns {Promise<Model>}
   */
  static async connect(busy) {
    const { model } = await ask("page.json", {}, busy);
    const path = `v1/models/${encodeURIComponent(model)}`;
    const { metadata } = await ask(`${path}/metadata`, {}, busy);
    const known = new Model(model, metadata.signature_def.signature_def, busy);
    await known.#describe();
    return known;
  }

  /** Called by `connect`. */
  constructor(name, signatures, busy) {
    if (!signatures.decode || !signatures.encode) {
      throw new Trouble(`${name} is no stacked GAN: it has no signatures decode and encode.`);
    }
    [this.name, this.#signatures, this.#busy] = [name, signatures, busy];
    const { decode, encode } = signatures;
    const levels = Object.keys(decode.inputs).filter((input) => /^z\d+$/.test(input)).length;
    this.dims = Array.from({ length: levels }, (_, i) => sides(decode.inputs[`z${i}`])[0]);
    this.shape = sides(decode.outputs.images);
    this.features = Array.from({ length: levels - 1 }, (_, i) => i + 1)
      .map((level) => ({ level, feature: numbered("features", level), render: numbered("render", level) }))
      .filter(({ render }) => render in signatures); // older exports have h_1 only
    this.classes = Array.from({ length: sides(encode.outputs.probabilities)[0] }, (_, k) => `${k}`);
    this.noise = this.dims.map(() => "uniform");
  }

  /** Returns class names and kinds of noise, which older exports do not give. */
  async #describe() {
    if (!this.#signatures.describe) return;
    const { names, noise } = await this.predict("describe", { labels: [...this.classes.keys()] });
    [this.classes, this.noise] = [names, noise[0]];
  }

  /**
   * Runs a signature.
   *
   * @param {string} signature
   * @param {Object<string, Array>} inputs a list of rows for each name
   * @param {AbortSignal} [signal] cancels it
   * @returns {Promise<Object<string, Array>>} a list of rows for each output
   */
  async predict(signature, inputs, signal) {
    const rows = Object.values(inputs)[0].length;
    const outputs = {};
    for (let start = 0; start < rows; start += ROWS) {
      const part = mapped(inputs, (list) => list.slice(start, start + ROWS));
      for (const [name, list] of Object.entries(await this.#run(signature, part, signal))) {
        outputs[name] = [...(outputs[name] ?? []), ...list];
      }
    }
    return outputs;
  }

  async #run(signature, inputs, signal) {
    const { outputs } = await ask(
      `v1/models/${encodeURIComponent(this.name)}:predict`,
      { method: "POST", body: JSON.stringify({ signature_name: signature, inputs }), signal },
      this.#busy,
    );
    const names = Object.keys(this.#signatures[signature].outputs);
    return names.length === 1 ? { [names[0]]: outputs } : outputs; // a single output has no name
  }
}

/**
 * Returns a function that runs tasks and cancels all but the latest.
 *
 * @param {(error: Error, again: () => void) => void} fail called with the error that ended a task
 * @returns {(task: (signal: AbortSignal) => Promise<void>) => Promise<void>}
 */
export function latest(fail) {
  let controller = new AbortController();
  return async function run(task) {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    try {
      await task(signal);
    } catch (error) {
      if (!signal.aborted) fail(error, () => run(task));
    }
  };
}

/** Returns whether a GET is answered with 200. */
export async function exists(path) {
  return fetch(path).then((answer) => answer.status === 200, () => false);
}

async function ask(path, options, busy) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await reached(path, options);
    if (answer.status !== 503 || attempt === ATTEMPTS) return body(answer);
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    busy(seconds);
    await new Promise((wake) => setTimeout(wake, 1000 * seconds));
    options.signal?.throwIfAborted();
  }
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The server does not answer. Is it still running?");
  }
}

async function body(answer) {
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  const reason = content.error ?? answer.statusText;
  const busy = "The server is busy. Wait a little, then try again.";
  throw new Trouble(answer.status === 503 ? busy : `The server answered ${answer.status}: ${reason}`);
}

/** Returns the name of a tensor or signature for h_level; that for h_1 has no number. */
function numbered(name, level) {
  return level === 1 ? name : `${name}${level}`;
}

/** Returns the shape of a signature's tensor, without the rows. */
function sides(info) {
  return info.tensor_shape.dim.slice(1).map((dim) => Number(dim.size));
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}
