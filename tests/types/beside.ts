/** What `reparam/latents` and `reparam/measures` take beside a model, and what they refuse. Checked by the compiler, never run. */
import { Vae, type Data } from "reparam";
import { attributeVector, manifoldGrid, nearest, path, slerp, traversals } from "reparam/latents";
import { Classifier, FINDING_TEXTS, dci, decomposeKl, diagnose, frechetDistance, gaussianOf, klPerDimension, mig, reconstructionErrors, type Factors, type Finding, type StepFigures } from "reparam/measures";

export async function use(vae: Vae, data: Data, x: Float32Array): Promise<number> {
  const encoding = await vae.encode(data);
  const codes = { values: encoding.mean, shape: encoding.shape };
  const kl: Float64Array = klPerDimension(encoding);
  const { mutualInformation } = decomposeKl(encoding, { samples: 2, seed: 1 });
  const way = path(encoding.mean.subarray(0, 2), encoding.mean.subarray(2, 4), 8, { kind: "slerp" });
  await vae.decode(way);
  await vae.decode(manifoldGrid(10, { base: slerp(x, x, 0.5), axes: [0, 1] }));
  const { dimensions, ...points } = traversals(x, { posterior: encoding, around: "posterior" });
  await vae.decode(points);
  const errors = reconstructionErrors({ values: x, shape: data.shape }, await vae.reconstruct(data));
  attributeVector(codes, data.labels!, 3) satisfies Float32Array;
  // @ts-expect-error: a metric that is none
  nearest(codes, x, 1, { metric: "manhattan" });
  // @ts-expect-error: bytes are no rows
  klPerDimension({ mean: new Uint8Array(2), logvar: encoding.logvar, shape: [1, 2] });
  // @ts-expect-error: a way has a kind of two
  path(x, x, 3, { kind: "spline" });
  return kl[dimensions[0]] + mutualInformation + errors.mse + frechetDistance(gaussianOf(codes), gaussianOf(codes));
}

export function told(history: StepFigures[], encoding: Parameters<typeof klPerDimension>[0], factors: Factors): string {
  const codes = { values: encoding.mean, shape: encoding.shape };
  mig(codes, factors).score satisfies number;
  dci(codes, factors, { predictor: { kind: "forest", trees: 20 } }).importance satisfies number[][];
  // @ts-expect-error: an option of another predictor
  dci(codes, factors, { predictor: { kind: "forest", alpha: 1 } });
  const findings: Finding[] = diagnose({ history, klPerDimension: klPerDimension(encoding), beta: 1 });
  // @ts-expect-error: a code that is none
  if (findings[0].code === "overfitting") return "";
  return findings.map(({ code }) => FINDING_TEXTS[code].message).join();
}

export async function judged(data: Data, samples: Data): Promise<number> {
  const classifier = await Classifier.create(Vae, { input: { kind: "vector", size: 2 }, classes: 10, worker: false });
  for await (const event of classifier.train(data, { epochs: 1, validation: data })) if (event.kind === "step") event.crossEntropy satisfies number;
  const predicted: Uint16Array = await classifier.predict(samples);
  // @ts-expect-error: a classifier has no latent
  await Classifier.create(Vae, { input: { kind: "vector", size: 2 }, classes: 10, latent: { kind: "gaussian", size: 2 } });
  await (await Classifier.load(Vae, await classifier.save(), { backend: "cpu" })).dispose();
  return frechetDistance(gaussianOf(await classifier.features(data)), gaussianOf(await classifier.features(samples))) + predicted[0];
}
