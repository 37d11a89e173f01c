/**
 * Images, files and canvases. An image is a nested list of rows, pixels and channels, with numbers
 * in [0, 1], as in the server's requests and answers.
 */

import { Trouble } from "./api.js";

const LARGEST = 20; // largest size of a file in MB
const MOST = 50; // largest number of pixels in millions
const GREY = [0.299, 0.587, 0.114]; // ITU-R BT.601, as Pillow's "L"
const CELL = 48; // smallest side of an image in a saved grid, in pixels
const GAP = 2;

/**
 * Draws an image with one pixel of the canvas per pixel.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[][][]} image
 */
export function paint(canvas, image) {
  [canvas.width, canvas.height] = [image[0].length, image.length];
  canvas.getContext("2d").putImageData(pixels(image), 0, 0);
}

/**
 * Draws numbers as a code of light and dark cells, in rows.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} values in [0, 1]
 * @param {number} columns largest number of cells in a row
 */
export function code(canvas, values, columns) {
  canvas.width = Math.min(columns, values.length);
  canvas.height = Math.ceil(values.length / canvas.width);
  const context = canvas.getContext("2d");
  const drawn = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => drawn.data.set([99, 102, 241, 255 * value], 4 * i));
  context.putImageData(drawn, 0, 0);
}

/**
 * Reads a file as an image of a shape: its center, and in gray if there is one channel.
 *
 * @param {File} file
 * @param {number[]} shape height, width, channels
 * @returns {Promise<number[][][]>}
 * @throws {Trouble} if it is not an image, or too large
 */
export async function readFile(file, shape) {
  const size = file.size / 1e6;
  if (size > LARGEST) {
    throw new Trouble(`${file.name} has ${Math.ceil(size)} MB; at most ${LARGEST} MB are read.`);
  }
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Trouble(`${file.name} is no image that this browser can read.`);
  });
  try {
    const count = (bitmap.width * bitmap.height) / 1e6;
    if (count <= MOST) return sampled(bitmap, shape);
    throw new Trouble(`${file.name} has ${Math.ceil(count)} million pixels; at most ${MOST} are read.`);
  } finally {
    bitmap.close();
  }
}

/** @returns {number[][][]} the image with inverted values */
export function inverted(image) {
  return image.map((row) => row.map((pixel) => pixel.map((value) => 1 - value)));
}

/**
 * Draws images into one picture, and enlarges tiny images.
 *
 * @param {number[][][][]} images
 * @param {number} columns
 * @returns {Promise<Blob>} a PNG
 */
export async function gridPng(images, columns) {
  const [height, width] = [images[0].length, images[0][0].length];
  const scale = Math.max(1, Math.round(CELL / Math.max(height, width)));
  const [down, right] = [height * scale + GAP, width * scale + GAP];
  const picture = document.createElement("canvas");
  picture.width = columns * right + GAP;
  picture.height = Math.ceil(images.length / columns) * down + GAP;
  const context = picture.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, picture.width, picture.height);
  const small = document.createElement("canvas");
  images.forEach((image, i) => {
    paint(small, image);
    const [x, y] = [(i % columns) * right + GAP, Math.floor(i / columns) * down + GAP];
    context.drawImage(small, x, y, width * scale, height * scale);
  });
  return new Promise((done) => picture.toBlob(done, "image/png"));
}

/**
 * Saves a file, as if a link to it were clicked.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(blob), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function pixels(image) {
  const drawn = new ImageData(image[0].length, image.length);
  image.flat().forEach((pixel, i) => {
    const [red, green = red, blue = red] = pixel;
    drawn.data.set([255 * red, 255 * green, 255 * blue, 255], 4 * i);
  });
  return drawn;
}

function sampled(bitmap, [height, width, channels]) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff"; // background of transparent pixels
  context.fillRect(0, 0, width, height);
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  const { data } = context.getImageData(0, 0, width, height);
  const pixel = (i) => {
    const colour = [...data.slice(4 * i, 4 * i + 3)].map((value) => value / 255);
    return channels === 3 ? colour : [colour.reduce((sum, value, c) => sum + GREY[c] * value, 0)];
  };
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => pixel(y * width + x)),
  );
}
