/** Trains in the page as a user would, and reports every event to `window.report`. */
import { Vae } from "reparam";

const HEADER = 16;
const SIDE = 28;

async function digits(name) {
  const values = new Uint8Array(await (await fetch(`/data/${name}-images-idx3-ubyte`)).arrayBuffer()).subarray(HEADER);
  return { values, shape: [values.length / SIDE ** 2, SIDE, SIDE, 1] };
}

/** Bytes as text, for the way to Node. */
const toBase64 = (bytes) => new Promise((resolve) => Object.assign(new FileReader(), { onload: (e) => resolve(e.target.result.split(",")[1]) }).readAsDataURL(new Blob([bytes])));
const fromBase64 = async (text) => new Uint8Array(await (await fetch(`data:;base64,${text}`)).arrayBuffer());

let vae, data, validation;

async function create(options) {
  vae = await Vae.create(options);
  return save();
}

async function load(file, options) {
  vae = await Vae.load(await fromBase64(file), options);
}

const save = async () => toBase64(await vae.save());

/** Trains to the end; the held-out figures after the last step, and what ran. */
async function train(options) {
  data ??= await digits("train");
  validation ??= await digits("t10k");
  const start = performance.now();
  for await (const event of vae.train(data, { ...options, validation })) await window.report(event);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, info: vae.info, step: vae.step, held_out: await vae.evaluate(validation) };
}

window.parity = { create, load, save, train };
