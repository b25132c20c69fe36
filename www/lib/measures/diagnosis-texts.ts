/** What a diagnosis says, in English. `{name}` stands for a figure of the finding, so that a page can say it in another language. */

export interface FindingText {
  message: string;
  /** What to try, the likeliest help first. */
  tryThis: readonly string[];
}

const KL_WEAKER = "Raise β from 0 to its value over the first quarter of the training (KL warm-up).";

export const FINDING_TEXTS = {
  "non-finite": {
    message: "The {figure} is not a finite number at step {step}.",
    tryThis: [
      "Divide the learning rate by 10, and warm it up over the first hundred steps.",
      "Clip the gradient: clipNorm 1.",
      "See that the data are finite and scaled, 0 to 1 for a Bernoulli likelihood.",
    ],
  },
  exploding: {
    message: "The loss has risen from {first} nats at the start to {recent} nats per example at step {step}.",
    tryThis: ["Divide the learning rate by 3 to 10.", "Clip the gradient: clipNorm 1.", "With a Gaussian likelihood, raise sigma: a small one makes steep losses."],
  },
  "posterior-collapse": {
    message: "The KL is {kl} nats per example: the code tells the decoder next to nothing about the example, and every reconstruction looks alike.",
    tryThis: [
      KL_WEAKER,
      "Lower β below 1 until the KL rises, then raise it slowly.",
      "Make the decoder weaker: fewer layers or channels, so that it needs the code.",
      "See that the reconstruction is summed over the example, as the KL is, and not averaged over its elements.",
    ],
  },
  "dead-units": {
    message: "{dead} of {size} dimensions of the latent carry less than {threshold} nats per example: the decoder does not use them.",
    tryThis: ["Make the latent smaller: {active} dimensions carry all there is.", KL_WEAKER, "Lower β if more dimensions should take part."],
  },
  "codebook-collapse": {
    message: "The perplexity of the codes is {perplexity} out of {codes}: nearly every vector has the same code, which tells the decoder next to nothing.",
    tryThis: [
      'Let codes that fall out of use begin anew: restart "true", update "ema".',
      "Divide the learning rate by 3 to 10: an encoder that runs away leaves its codes behind.",
      "Lower the commitment: a high one draws all vectors to the few codes there are.",
    ],
  },
  "dead-codes": {
    message: "{dead} of {codes} codes stand for none of {vectors} vectors; the perplexity is {perplexity}.",
    tryThis: [
      'Let codes that fall out of use begin anew: restart "true", update "ema".',
      "Give the codes fewer values, 4 to 16, so that they lie closer to each other.",
      'Compare directions alone: distance "cosine".',
      "Take fewer codes: {used} do all there is to do.",
    ],
  },
  "kl-too-strong": {
    message: "At β = {beta}, {dead} of {size} dimensions of the latent carry less than {threshold} nats per example and the KL is {kl} nats in all: likeness to the prior outweighs the reconstruction.",
    tryThis: ["Lower β: at 1 the loss is a bound of the likelihood, above 1 it buys independent dimensions with blur.", KL_WEAKER],
  },
  "kl-taking-over": {
    message: "The KL fell from {before} to {recent} nats per example while the reconstruction got worse by {worse} nats, at β = {beta}.",
    tryThis: ["Lower β, or stop raising it: where it was before the KL fell, the code told more.", "Raise it more slowly, so that the decoder learns to need the code first."],
  },
  "kl-too-weak": {
    message: "Each of the {active} dimensions in use carries {each} nats per example, at β = {beta}: codes lie so close that most draws from the prior fall between them, and samples will look worse than reconstructions.",
    tryThis: ["Raise β.", "Draw from a sampler fitted to the codes, a Gaussian mixture, in place of the prior.", "Give the latent more dimensions, so that each has less to carry."],
  },
  plateau: {
    message: "The loss has stayed at {recent} nats per example over the last {steps} steps: from the first half of them to the second its mean changed by {change} nats, with a standard error of {noise}.",
    tryThis: ["Let the learning rate fall: a cosine schedule, or a third of it.", "Give the encoder and the decoder more units.", "Stop here if the samples are good enough."],
  },
} as const satisfies Record<string, FindingText>;
