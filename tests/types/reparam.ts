/** What the types take and what they refuse. Checked by the compiler, never run. */
import { ReparamError, Vae } from "reparam";
import type { Data, TrainEvent, TrainOptions, TrainPriorOptions, VaeOptions } from "reparam";
import { Vae as CoreVae } from "reparam/core";
import { sprite, sprites } from "reparam/data";
import wasm from "reparam/reparam_bg.wasm";

const options = {
  input: { kind: "image", height: 28, width: 28, channels: 1 },
  encoder: { kind: "conv", channels: [32, 64], kernel: 4, stride: 2, padding: 1, hidden: [256] },
  decoder: { kind: "mlp", hidden: [400] },
  latent: { kind: "gaussian", size: 20 },
  likelihood: { kind: "gaussian", sigma: 0.5 },
  objective: { kind: "elbo", beta: 1 },
  seed: 0,
  backend: "auto",
} as const satisfies VaeOptions;

// @ts-expect-error: a kind that is none
({ ...options, encoder: { kind: "mpl", hidden: [1] } }) satisfies VaeOptions;
({ ...options, encoder: { kind: "residual", channels: [32, 64], groups: 4 } }) satisfies VaeOptions;
({ ...options, latent: { kind: "vq", codes: 64, restart: false, gradient: "rotation" } }) satisfies VaeOptions;
({ ...options, latent: { kind: "fsq", levels: [8, 5, 5, 5] } }) satisfies VaeOptions;
({ ...options, latent: { kind: "vq2", codes: 64, distance: "cosine" } }) satisfies VaeOptions;
// @ts-expect-error: codes on two grids stand on those
({ ...options, latent: { kind: "vq2", positions: 4 } }) satisfies VaeOptions;
// @ts-expect-error: the levels of a table of codes are a number
({ ...options, latent: { kind: "vq", levels: [8, 5] } }) satisfies VaeOptions;
// @ts-expect-error: a norm of images alone
({ ...options, encoder: { kind: "mlp", hidden: [1], norm: "group" } }) satisfies VaeOptions;
// @ts-expect-error: an option of another kind
({ ...options, encoder: { kind: "mlp", hidden: [1], stride: 2 } }) satisfies VaeOptions;
({ ...options, tune: "always" }) satisfies VaeOptions;
({ ...options, cores: "auto" }) satisfies VaeOptions;
({ ...options, cores: 4 }) satisfies VaeOptions;
// @ts-expect-error: a way of tuning that there is not
({ ...options, tune: true }) satisfies VaeOptions;
// @ts-expect-error: nothing to train for
({ batchSize: 1 }) satisfies TrainOptions;
// @ts-expect-error: steps and epochs
({ steps: 1, epochs: 1 }) satisfies TrainOptions;
({ steps: 1, seed: 3, prior: { kind: "transformer", heads: 2 } }) satisfies TrainPriorOptions;
// @ts-expect-error: an option of another kind of prior
({ steps: 1, prior: { kind: "gated", heads: 2 } }) satisfies TrainPriorOptions;
// @ts-expect-error: 64-bit floats
({ values: new Float64Array(1), shape: [1] }) satisfies Data;

sprites({ size: 64, n: 2 }) satisfies Data;
// @ts-expect-error: a size that there is not
sprites({ size: 28 });
// @ts-expect-error: four factors of five
sprite([0, 0, 0, 0], 64);

export async function use(data: Data): Promise<number> {
  await using vae: Vae = await Vae.create({ ...options, worker: () => new Worker("w.js"), wasm });
  for await (const event of vae.train(data, { epochs: 1, optimizer: { kind: "adamw", weightDecay: 0.01 }, validation: data })) {
    if (event.kind === "step") event.loss satisfies number;
    else event.validation?.elbo satisfies number | undefined;
    // @ts-expect-error: a step event has no validation, so the union must be told apart first
    event.validation;
  }
  for await (const event of vae.trainPrior(data, { epochs: 1 })) {
    if (event.kind === "step") event.bitsPerCode satisfies number;
    else event.validation?.crossEntropy satisfies number | undefined;
    // @ts-expect-error: events of a prior have no ELBO
    event.elbo;
  }
  const { indices } = await vae.sample(2, { topK: 3, sampler: "uniform" });
  if (indices !== undefined) await vae.complete({ indices, known: [true, false] }, { topP: 0.5, labels: 1 });
  // @ts-expect-error: which codes are known is not said
  await vae.complete({ indices: new Float32Array(4) });
  const { mean, logvar } = await vae.encode(data);
  const { values, shape }: { values: Float32Array; shape: number[] } = await vae.decode(mean);
  await vae.decode({ values: logvar, shape: [1, 20] });
  // @ts-expect-error: there is no gama
  await vae.set({ gama: 1 });
  // @ts-expect-error: this entry has no workers
  await CoreVae.create({ ...options, worker: true });
  vae.info.precision satisfies "f32" | "f16";
  // @ts-expect-error: figures of a model are not any
  vae.info.plan satisfies string;
  return values.length + shape.length;
}

export function told(error: unknown, event: TrainEvent): string {
  if (error instanceof ReparamError && error.code === "invalid-option") return error.path ?? error.message;
  // @ts-expect-error: a code that is none
  if (error instanceof ReparamError && error.code === "invalid") return "";
  switch (event.kind) {
    case "step":
      return `${event.elbo}`;
    case "epoch":
      return `${event.epoch}`;
  }
}
