/** Digits that nobody wrote: z from the prior, or from a law fitted to codes, or codes of a codebook, decoded. The same noise is decoded again and again, so one sees it turn into digits. */
import { html, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { isCode } from "../config";
import { drawDigits } from "../digits";
import { codeSampling, sampling } from "../formulas";
import { Part } from "../part";
import { SAMPLES } from "../pictures";
import { SAMPLER_KINDS, type SamplerKind } from "../view";
import { number, t } from "../words";
import { Painting } from "./painting";

const TRUNCATIONS = [0, 3, 2, 1.5, 1, 0.5];

export class Samples extends Part {
  #painting = new Painting();

  protected override render() {
    const { pictures, run, config } = this.studio;
    const { temperature, isUniform } = pictures.view;
    const isOfCodes = isCode(config);
    const isTempered = !isOfCodes || (run.hasPrior && !isUniform);
    return html`
      <header>
        <h2>${t("samples.title")}</h2>
        <p>${t(isOfCodes ? "samples.textCodes" : "samples.text")}</p>
        <p class="formula">${isOfCodes ? codeSampling : sampling}</p>
      </header>
      <canvas class="digits" data-testid="samples" role="img" aria-label=${t("samples.label", { n: SAMPLES, step: run.step })} width="238" height="238"></canvas>
      <div class="row">
        ${isTempered ? this.#temperature(temperature) : ""}
        <button data-testid="new-samples" @click=${() => this.studio.viewSamples({ seed: pictures.view.seed + 1 })}>${t("samples.new")}</button>
      </div>
      ${isOfCodes ? html`<vae-code-sampling .studio=${this.studio}></vae-code-sampling>` : this.#sampler()}
    `;
  }

  protected override updated() {
    const { samples } = this.studio.pictures;
    if (this.#painting.isStale(samples)) drawDigits(this.querySelector("canvas")!, samples!, Math.sqrt(SAMPLES));
  }

  #temperature(temperature: number): TemplateResult {
    return html`<label class="field slider"
      ><span>${t("samples.temperature")} <output>${number(temperature, 2)}</output></span>
      <input
        type="range"
        data-testid="temperature"
        min="0"
        max="2"
        step="0.05"
        .value=${live(String(temperature))}
        @input=${(event: Event) => this.studio.viewSamples({ temperature: Number((event.target as HTMLInputElement).value) })}
    /></label>`;
  }

  /** Where z comes from. */
  #sampler(): TemplateResult {
    const { sampler, truncation } = this.studio.pictures.view;
    return html`<details>
      <summary>${t("samples.more")}</summary>
      <div class="pair">
        <label class="field"
          ><span>${t("samples.sampler")}</span>
          <select data-testid="sampler" @change=${(event: Event) => this.studio.viewSamples({ sampler: (event.target as HTMLSelectElement).value as SamplerKind })}>
            ${SAMPLER_KINDS.map((kind) => html`<option value=${kind} .selected=${live(kind === sampler)}>${t(`sampler.${kind}`)}</option>`)}
          </select></label
        >
        <label class="field"
          ><span>${t("samples.truncation")}</span>
          <select data-testid="truncation" @change=${(event: Event) => this.studio.viewSamples({ truncation: Number((event.target as HTMLSelectElement).value) })}>
            ${TRUNCATIONS.map((at) => html`<option value=${at} .selected=${live(at === truncation)}>${at === 0 ? t("samples.whole") : t("samples.within", { at: number(at, 1) })}</option>`)}
          </select></label
        >
      </div>
      <p class="note">${t(`sampler.${sampler}.text`)}</p>
      <p class="note">${t("samples.truncationNote")}</p>
    </details>`;
  }
}
