/** The names of the page's elements. Registered here and not in their own files: the package is marked free of side effects, so a bundler would drop files that only register. */
import { Bits } from "./parts/bits";
import { Choices } from "./parts/choices";
import { Classes } from "./parts/classes";
import { CodeSampling } from "./parts/code-sampling";
import { Codebook } from "./parts/codebook";
import { Completion } from "./parts/completion";
import { Curves } from "./parts/curves";
import { Device } from "./parts/device";
import { Diagnosis } from "./parts/diagnosis";
import { Diagram } from "./parts/diagram";
import { Files } from "./parts/files";
import { Latent } from "./parts/latent";
import { Manifold } from "./parts/manifold";
import { Maps } from "./parts/maps";
import { Notice } from "./parts/notice";
import { Prior } from "./parts/prior";
import { Probe } from "./parts/probe";
import { Reconstructions } from "./parts/reconstructions";
import { Samples } from "./parts/samples";
import { Scatter } from "./parts/scatter";
import { Settings } from "./parts/settings";
import { Terms } from "./parts/terms";
import { Transport } from "./parts/transport";
import { Traversal } from "./parts/traversal";
import { Units } from "./parts/units";
import { Usage } from "./parts/usage";
import { Walk } from "./parts/walk";
import { Playground } from "./playground";

const ELEMENTS: Record<string, CustomElementConstructor> = {
  "vae-bits": Bits,
  "vae-choices": Choices,
  "vae-classes": Classes,
  "vae-code-sampling": CodeSampling,
  "vae-codebook": Codebook,
  "vae-completion": Completion,
  "vae-curves": Curves,
  "vae-device": Device,
  "vae-diagnosis": Diagnosis,
  "vae-diagram": Diagram,
  "vae-files": Files,
  "vae-latent": Latent,
  "vae-manifold": Manifold,
  "vae-maps": Maps,
  "vae-notice": Notice,
  "vae-prior": Prior,
  "vae-probe": Probe,
  "vae-reconstructions": Reconstructions,
  "vae-samples": Samples,
  "vae-scatter": Scatter,
  "vae-settings": Settings,
  "vae-terms": Terms,
  "vae-transport": Transport,
  "vae-traversal": Traversal,
  "vae-units": Units,
  "vae-usage": Usage,
  "vae-walk": Walk,
  "vae-playground": Playground, // last: it shows the others
};

export function registerElements() {
  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
}
