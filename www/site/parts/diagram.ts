/** The model as it is wired: a digit, the encoder's layers, q(z|x), z, the decoder's layers, the digit that comes back. */
import { html, type TemplateResult } from "lit";
import { latentSize, type Config } from "../config";
import { SIDE, drawDigits } from "../digits";
import { reparameterisation } from "../formulas";
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
    return html`
      <figure>
        <div class="row" role="img" aria-label=${t("diagram.label", { layers: encoder.map(({ label, depth }) => (depth ? `${label} × ${depth}` : label)).join(", "), size })}>
          ${this.#digit("x", "input")}
          <div class="tower encoder">${encoder.map(bar)}</div>
          <div class="code">
            <div class="layer">
              <div class="moments"><i>μ</i><i>σ</i></div>
              <small>q(z|x)</small>
            </div>
            ${bar({ units: size, label: `z ${number(size)}` })}
          </div>
          <div class="tower decoder">${[...encoder].reverse().map(bar)}</div>
          ${this.#digit("x̂", "output")}
        </div>
        <figcaption>
          <p>${t("diagram.text")}</p>
          <p class="formula">${reparameterisation}</p>
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

function encoderLayers({ encoder }: Config): Layer[] {
  const list = (name: string) => (Array.isArray(encoder[name]) ? encoder[name] : []);
  const at = (name: string, layer: number) => Number(Array.isArray(encoder[name]) ? encoder[name][layer] : encoder[name]);
  const layers: Layer[] = [{ units: SIDE * SIDE, label: encoder["channels"] ? `${SIDE}²` : number(SIDE * SIDE) }];
  let side = SIDE;
  list("channels").forEach((depth, layer) => {
    side = encoder.kind === "residual" ? Math.ceil(side / 2) : Math.floor((side + 2 * at("padding", layer) - at("kernel", layer)) / at("stride", layer)) + 1;
    layers.push({ units: side * side * depth, label: `${side}²`, depth });
  });
  for (const units of list("hidden")) layers.push({ units, label: number(units) });
  return layers;
}
