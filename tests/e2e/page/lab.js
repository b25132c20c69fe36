/** What the end-to-end tests use inside the page. */
import * as reparam from "reparam";

const { Vae } = reparam;
const SIDE = 8;

/** Small enough for hundreds of steps a second anywhere. */
const OPTIONS = {
  input: { kind: "image", height: SIDE, width: SIDE, channels: 1 },
  encoder: { kind: "mlp", hidden: [32] },
  latent: { kind: "gaussian", size: 2 },
  likelihood: { kind: "bernoulli" },
  objective: { kind: "elbo", beta: 1 },
  seed: 0,
  backend: "cpu",
};

const make = (options = {}) => Vae.create({ ...OPTIONS, ...options });

/** `n` images of one soft spot each, at a place of its own. */
function spots(n, side = SIDE) {
  const values = new Uint8Array(n * side * side);
  for (let i = 0; i < n; i++) {
    const [row, column] = [((i * 7) % side) + 0.5, ((i * 3) % side) + 0.5];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) values[(i * side + y) * side + x] = 255 * Math.exp(-((y - row) ** 2 + (x - column) ** 2) / 4);
  }
  return { values, shape: [n, side, side, 1] };
}

async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

/** The fields of the error that `promise` rejects with. */
async function refusal(promise) {
  const error = await promise.then(
    (value) => ({ message: `resolved to ${value}` }),
    (thrown) => thrown,
  );
  const { name, code, message, path, got, expected } = error;
  return { name, code, message, path, got, expected, typed: error instanceof reparam.ReparamError };
}

window.lab = { ...reparam, OPTIONS, make, spots, collect, refusal };
