/** The VAE of Kingma & Welling 2014 as it is most often run (784-400-20, Bernoulli on grey values): held-out −ELBO and its parts, epoch by epoch. */
const SHOWN = [1, 5, 10, 20, 50];

export default {
  name: "elbo-digits",
  title: "MLP 784-400-20 on the digits, nats per digit",
  data: ["digits"],
  async run({ data, fit, long, picture }) {
    const [epochs, seeds] = long ? [20, [0, 1, 2]] : [5, [0]];
    const set = await data.digits();
    const model = { encoder: { kind: "mlp", hidden: [400] }, latent: { kind: "gaussian", size: 20 }, likelihood: { kind: "bernoulli" } };
    const curves = [];
    const pictures = [];
    for (const seed of seeds) {
      const { vae, epochs: curve } = await fit({ model, set, epochs, seed });
      curves.push(curve);
      if (seed === seeds[0]) {
        const shown = data.rows(set.test, 0, 16);
        pictures.push(picture("reconstructions", [shown, await vae.reconstruct(shown), await vae.sample(16, { seed })]));
      }
      await vae.dispose();
    }
    const rows = SHOWN.filter((epoch) => epoch <= epochs).map((epoch) => {
      const at = curves.map((curve) => curve[epoch - 1]);
      return { row: `after epoch ${epoch}`, "−ELBO": at.map(({ elbo }) => -elbo), reconstruction: at.map((f) => f.reconstruction), KL: at.map(({ kl }) => kl) };
    });
    return { epochs, seeds, rows, pictures };
  },
};
