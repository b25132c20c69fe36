/** The names of the page's elements. Registered here and not in their own files: the package is marked free of side effects, so a bundler would drop files that only register. */
import { Curves } from "./parts/curves";
import { Device } from "./parts/device";
import { Diagram } from "./parts/diagram";
import { Files } from "./parts/files";
import { Latent } from "./parts/latent";
import { Manifold } from "./parts/manifold";
import { Notice } from "./parts/notice";
import { Probe } from "./parts/probe";
import { Reconstructions } from "./parts/reconstructions";
import { Samples } from "./parts/samples";
import { Scatter } from "./parts/scatter";
import { Settings } from "./parts/settings";
import { Transport } from "./parts/transport";
import { Units } from "./parts/units";
import { Playground } from "./playground";

const ELEMENTS: Record<string, CustomElementConstructor> = {
  "vae-curves": Curves,
  "vae-device": Device,
  "vae-diagram": Diagram,
  "vae-files": Files,
  "vae-latent": Latent,
  "vae-manifold": Manifold,
  "vae-notice": Notice,
  "vae-probe": Probe,
  "vae-reconstructions": Reconstructions,
  "vae-samples": Samples,
  "vae-scatter": Scatter,
  "vae-settings": Settings,
  "vae-transport": Transport,
  "vae-units": Units,
  "vae-playground": Playground, // last: it shows the others
};

export function registerElements() {
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
}
