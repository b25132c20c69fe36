/** A classifier that the package trains on a set, and what it says of samples. Two epochs are enough for 98 % of the test digits. */
const EPOCHS = 2;

/**
 * `accuracy` on the test part; `distance(samples)`: Fréchet distance of their features to those of the test part, 64 of them;
 * `agreement(samples, labels)`: the share taken for what they were asked to be. Dispose of it.
 */
export async function makeJudge({ Vae, measures, log, set }) {
  const { Classifier, agreement, frechetDistance, gaussianOf } = measures;
  const [, height, width, channels] = set.train.shape;
  const input = { kind: "image", height, width, channels };
  const classifier = await Classifier.create(Vae, { input, classes: 1 + set.train.labels.reduce((a, b) => Math.max(a, b)), backend: "cpu", worker: false });
  for await (const event of classifier.train(set.train, { epochs: EPOCHS, schedule: "cosine" }))
    if (event.kind === "epoch") log(`judge, epoch ${event.epoch} of ${EPOCHS}`);
  const accuracy = await classifier.accuracy(set.test);
  log(`judge: ${(100 * accuracy).toFixed(2)} % of the test part`);
  const real = gaussianOf(await classifier.features(set.test));
  return {
    accuracy,
    distance: async (samples) => frechetDistance(gaussianOf(await classifier.features(samples)), real),
    agreement: async (samples, labels) => agreement(await classifier.predict(samples), labels),
    dispose: () => classifier.dispose(),
  };
}
