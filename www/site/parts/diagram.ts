/** The model as it is wired: a digit, the encoder's layers, q(z|x), z, or the codes that stand for it, the decoder's layers, the digit that comes back. */
import { html, type TemplateResult } from "lit";
import { latentSize, type Config } from "../config";
import { SIDE, drawDigits } from "../digits";
import { quantisation, reparameterisation } from "../formulas";
import { codeGrid, placesOf, sidesOf } from "../grid";
import { Part } from "../part";
import { number, t } from "../words";
import "./diagram.css";

interface Layer {
  units: number;
  label: string;
  /** Channels of an image layer, told on a second line. */
  depth?: number;
}

export class Diagram extends Part {
  /** Which of the pictures' digits passes through. */
  #shown = 0;

  protected override render() {
    const { config } = this.studio;
    const encoder = encoderLayers(config);
    const size = latentSize(config);
    const grid = codeGrid(config);
    const layers = encoder.map(({ label, depth }) => (depth ? `${label} × ${depth}` : label)).join(", ");
    return html`
      <figure>
        <div class="row" role="img" aria-label=${grid ? t("diagram.labelCodes", { layers, places: placesOf(grid), codes: grid.codes }) : t("diagram.label", { layers, size })}>
          ${this.#digit("x", "input")}
          <div class="tower encoder">${encoder.map(bar)}</div>
          <div class="code">
            <div class="layer">
              <div class="moments">${grid ? html`<i>e</i><i>k</i>` : html`<i>μ</i><i>σ</i>`}</div>
              <small>${grid ? `1 … ${number(grid.codes)}` : "q(z|x)"}</small>
            </div>
            ${grid ? bar({ units: placesOf(grid), label: `k ${number(placesOf(grid))}` }) : bar({ units: size, label: `z ${number(size)}` })}
          </div>
          <div class="tower decoder">${[...encoder].reverse().map(bar)}</div>
          ${this.#digit("x̂", "output")}
        </div>
        <figcaption>
          <p>${t(grid ? "diagram.textCodes" : "diagram.text")}</p>
          <p class="formula">${grid ? quantisation : reparameterisation}</p>
          <button class="chip" @click=${this.#next}>${t("diagram.next")}</button>
        </figcaption>
      </figure>
    `;
  }

  protected override updated() {
    const { originals, reconstructions } = this.studio.pictures;
    const at = this.#shown * SIDE * SIDE;
    const show = (name: string, values: Float32Array | Uint8Array | undefined) =>
      values && drawDigits(this.querySelector<HTMLCanvasElement>(`canvas.${name}`)!, values.subarray(at, at + SIDE * SIDE), 1);
    show("input", originals?.values);
    show("output", reconstructions ?? undefined);
  }

  #digit(label: string, name: string): TemplateResult {
    return html`<div class="layer digit"><canvas class=${name} width=${SIDE} height=${SIDE}></canvas><small>${label}</small></div>`;
  }

  #next = () => {
    const count = this.studio.pictures.originals?.shape[0] ?? 1;
    this.#shown = (this.#shown + 1) % count;
    this.requestUpdate();
  };
}

/** A bar whose height grows with the logarithm of the layer's size. */
const bar = ({ units, label, depth }: Layer) => html`<div class="layer" style="--height: ${Math.round(14 + 9 * Math.log2(units))}px"><b></b><small>${label}${depth ? html`<br />×${depth}` : ""}</small></div>`;

function encoderLayers(config: Config): Layer[] {
  const { encoder } = config;
  const list = (name: string) => (Array.isArray(encoder[name]) ? encoder[name] : []);
  const layers: Layer[] = [{ units: SIDE * SIDE, label: encoder["channels"] ? `${SIDE}²` : number(SIDE * SIDE) }];
  const channels = list("channels");
  sidesOf(config).forEach((side, layer) => layers.push({ units: side * side * channels[layer]!, label: `${side}²`, depth: channels[layer]! }));
  for (const units of list("hidden")) layers.push({ units, label: number(units) });
  return layers;
}
