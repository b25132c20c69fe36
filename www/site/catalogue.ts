/** What can be chosen, as the core states it: the controls of the page are built from this, so a new variant appears without new code here. */
import { Vae, type Catalogue } from "reparam";

export const SECTIONS = ["encoder", "latent", "likelihood", "objective"] as const;
export type Section = (typeof SECTIONS)[number];

/** What the page shows before the core has loaded. */
export const FALLBACK: Catalogue = {
  encoder: [
    { kind: "mlp", parameters: [{ name: "hidden", type: "integers", default: [400], min: 1, max: 4096 }] },
    {
      kind: "conv",
      parameters: [
        { name: "channels", type: "integers", default: [32, 32, 64, 64], min: 1, max: 1024 },
        { name: "hidden", type: "integers", default: [256], min: 1, max: 4096 },
      ],
    },
  ],
  latent: [{ kind: "gaussian", parameters: [{ name: "size", type: "integer", default: 20, min: 1, max: 512 }] }],
  likelihood: [
    { kind: "bernoulli", parameters: [] },
    { kind: "gaussian", parameters: [{ name: "sigma", type: "number", default: 1, min: 0.01, max: 10 }] },
  ],
  objective: [{ kind: "elbo", parameters: [{ name: "beta", type: "number", default: 1, min: 0, max: 1000, live: true }] }],
};

/** The core's catalogue. Where the core cannot be reached the page still shows its controls, and building the model tells why. */
export async function readCatalogue(): Promise<Catalogue> {
  return Vae.catalogue().catch(() => FALLBACK);
}
