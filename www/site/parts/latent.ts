/** The latent plane: the codes of held-out digits, the digit at the cursor, and the plane decoded; beyond two dimensions, which two. */
import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { hasPlane } from "../config";
import { manifold } from "../formulas";
import { Part } from "../part";
import { number, t } from "../words";
import "./latent.css";

export class Latent extends Part {
  protected override render() {
    const { studio } = this;
    const { plane } = studio.pictures;
    this.hidden = !hasPlane(studio.config);
    return html`
      <header>
        <h2>${t("latent.title")}</h2>
        <p>${plane.size === 2 ? t("latent.text") : t("latent.textCut", { size: plane.size })}</p>
        <p class="formula">${manifold}</p>
      </header>
      ${plane.size > 2 ? this.#cut() : nothing}
      <div class="planes">
        <figure>
          <figcaption>${t("latent.codes")}</figcaption>
          <vae-scatter .studio=${studio}></vae-scatter>
        </figure>
        <vae-probe .studio=${studio}></vae-probe>
        <figure>
          <figcaption>${t("latent.manifold")}</figcaption>
          <vae-manifold .studio=${studio}></vae-manifold>
        </figure>
      </div>
    `;
  }

  /** Which two dimensions the plane spans, and what the others are held at. */
  #cut() {
    const { pictures } = this.studio;
    const [across, up] = pictures.plane.axes;
    return html`<div class="cut">
      ${this.#axis(t("latent.across"), across, (axis) => pictures.chooseAxes([axis, axis === up ? across : up]))}
      ${this.#axis(t("latent.up"), up, (axis) => pictures.chooseAxes([axis === across ? up : across, axis]))}
      <label class="field"
        ><span>${t("latent.others")}</span>
        <select @change=${this.#chooseBase}>
          <option value="" .selected=${live(pictures.baseLabel === null)}>${t("latent.centre")}</option>
          ${Array.from({ length: 10 }, (_, digit) => html`<option value=${digit} .selected=${live(pictures.baseLabel === digit)}>${t("latent.digit", { digit })}</option>`)}
        </select></label
      >
    </div>`;
  }

  #axis(label: string, value: number, choose: (axis: number) => void) {
    const { size } = this.studio.pictures.plane;
    return html`<label class="field"
      ><span>${label}</span>
      <select @change=${(event: Event) => choose(Number((event.target as HTMLSelectElement).value))}>
        ${Array.from({ length: size }, (_, axis) => html`<option value=${axis} .selected=${live(axis === value)}>z${number(axis + 1)}</option>`)}
      </select></label
    >`;
  }

  #chooseBase = (event: Event) => {
    const { value } = event.target as HTMLSelectElement;
    this.studio.pictures.chooseBase(value === "" ? null : Number(value));
  };
}
