/** Digits that nobody wrote: z from the prior, decoded. The same noise is decoded again and again, so one sees it turn into digits. */
import { html } from "lit";
import { live } from "lit/directives/live.js";
import { drawDigits } from "../digits";
import { sampling } from "../formulas";
import { Part } from "../part";
import { SAMPLES } from "../pictures";
import { number, t } from "../words";
import { Painting } from "./painting";

export class Samples extends Part {
  #painting = new Painting();

  protected override render() {
    const { pictures, run } = this.studio;
    return html`
      <header>
        <h2>${t("samples.title")}</h2>
        <p>${t("samples.text")}</p>
        <p class="formula">${sampling}</p>
      </header>
      <canvas class="digits" data-testid="samples" role="img" aria-label=${t("samples.label", { n: SAMPLES, step: run.step })} width="238" height="238"></canvas>
      <div class="row">
        <label class="field slider"
          ><span>${t("samples.temperature")} <output>${number(pictures.temperature, 2)}</output></span>
          <input
            type="range"
            data-testid="temperature"
            min="0"
            max="2"
            step="0.05"
            .value=${live(String(pictures.temperature))}
            @input=${(event: Event) => this.studio.setTemperature(Number((event.target as HTMLInputElement).value))}
        /></label>
        <button data-testid="new-samples" @click=${() => this.studio.newSamples()}>${t("samples.new")}</button>
      </div>
    `;
  }

  protected override updated() {
    const { samples } = this.studio.pictures;
    if (this.#painting.isStale(samples)) drawDigits(this.querySelector("canvas")!, samples!, Math.sqrt(SAMPLES));
  }
}
