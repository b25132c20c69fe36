/** What is trained: the choices that everyone meets, made from the catalogue. The others fold away below. */
import { html, noChange, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { BACKENDS, NUMBERS, PRESETS, beta, isBetaLoss, isCode, isPreset, type Backend } from "../config";
import { betaLoss, likelihoods } from "../formulas";
import { parse } from "../url";
import { number, plainNumber, t } from "../words";
import { kindWord } from "../words/choices";
import { Controls } from "./controls";

const LEARNING_RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2];
const BATCH_SIZES = [32, 64, 128, 256, 512];
/** As far as the β slider goes; the address bar takes what the core takes. */
const BETA_MAX = 10;

export class Settings extends Controls {
  protected override render() {
    const { config } = this.studio;
    return html`
      <h2>${t("settings.title")}</h2>
      <div class="presets" role="group" aria-label=${t("settings.presets")}>
        ${PRESETS.map(
          (preset) => html`<button
            class="chip"
            data-testid="preset-${preset.name}"
            aria-pressed=${isPreset(config, preset)}
            @click=${() => this.studio.applyPreset(preset)}
          >
            ${t(`preset.${preset.name}`)}
          </button>`,
        )}
      </div>
      ${this.#encoder()} ${this.#latent()} ${this.#likelihood()} ${this.#objective()}
      <vae-choices .studio=${this.studio}></vae-choices>
      <div class="pair">
        ${this.choice("learning-rate", t("settings.learningRate"), config.learningRate, LEARNING_RATES, plainNumber, (learningRate) => this.studio.setOptimiser({ learningRate }))}
        ${this.choice("batch-size", t("settings.batchSize"), config.batchSize, BATCH_SIZES, plainNumber, (batchSize) => this.studio.setOptimiser({ batchSize }))}
      </div>
      <div class="pair">
        <label class="field"
          ><span>${t("settings.seed")}</span>
          <input
            type="number"
            min=${NUMBERS.seed.min}
            max=${NUMBERS.seed.max}
            step="1"
            data-testid="seed"
            .value=${this.isBeingTyped("seed") ? noChange : live(String(config.seed))}
            @change=${(event: Event) => this.#changeSeed(event.target as HTMLInputElement)}
        /></label>
        <label class="field"
          ><span>${t("settings.backend")}</span>
          <select @change=${(event: Event) => this.studio.setBackend((event.target as HTMLSelectElement).value as Backend)}>
            ${BACKENDS.map((backend) => html`<option value=${backend} .selected=${live(config.backend === backend)}>${t(`backend.${backend}`)}</option>`)}
          </select></label
        >
      </div>
      <p class="note">${t("settings.note")}</p>
    `;
  }

  /** The kinds side by side, and the layers folded away. */
  #encoder(): TemplateResult {
    const { catalogue, config } = this.studio;
    return html`<fieldset>
      <legend>${t("section.encoder")}</legend>
      <div class="segments">
        ${catalogue.encoder.map(
          ({ kind }) => html`<label
            ><input type="radio" name="encoder" value=${kind} .checked=${live(kind === config.encoder.kind)} @change=${() => this.studio.choose("encoder", kind)} /><span
              >${kindWord("encoder", kind).name}</span
            ></label
          >`,
        )}
      </div>
      ${this.refusal("encoder")}
      <details data-testid="layers">
        <summary>${t("details.encoder")}</summary>
        ${this.explanation("encoder")} ${this.parametersOf("encoder").map((parameter) => this.parameter("encoder", parameter))}
      </details>
    </fieldset>`;
  }

  #latent(): TemplateResult {
    const isUsual = this.studio.config.latent.kind === "gaussian";
    return html`<fieldset>
      <legend>${t("section.latent")}</legend>
      ${this.parametersOf("latent").map((parameter) => this.parameter("latent", parameter, !isUsual))}
    </fieldset>`;
  }

  #likelihood(): TemplateResult {
    const { kind } = this.studio.config.likelihood;
    const parameters = this.parametersOf("likelihood");
    return html`<fieldset>
      <legend>${t("section.likelihood")}</legend>
      ${this.kinds("likelihood", t("settings.law"))}
      ${likelihoods[kind] ? html`<p class="formula">${likelihoods[kind]}</p>` : this.explanation("likelihood")}
      ${parameters.length > 0
        ? html`<details>
            <summary>${t("details.likelihood")}</summary>
            ${parameters.map((parameter) => this.parameter("likelihood", parameter))}
          </details>`
        : nothing}
    </fieldset>`;
  }

  /** Its parameters that move while training; those of the ELBO are a slider. */
  #objective(): TemplateResult {
    const { config } = this.studio;
    const parameters = this.parametersOf("objective").filter((parameter) => parameter.live);
    if (config.objective.kind === "elbo") return html`<fieldset><legend>${t("section.objective")}</legend>${this.#beta()}</fieldset>`;
    return html`<fieldset>
      <legend>${t("section.objectiveOf", { name: kindWord("objective", config.objective.kind).name })}</legend>
      ${parameters.length === 0 ? this.explanation("objective") : parameters.map((parameter) => this.parameter("objective", parameter))}
    </fieldset>`;
  }

  #beta(): TemplateResult {
    const { config } = this.studio;
    if (isCode(config)) return html`<p class="note">${t("settings.betaOfCodes")}</p>`;
    const value = beta(config);
    return html`<label class="field slider"
        ><span>${t("parameter.beta")} <output>${number(value, 1)}</output></span>
        <input
          type="range"
          data-testid="beta"
          min="0"
          max=${BETA_MAX}
          step="0.1"
          .value=${live(String(value))}
          @input=${(event: Event) => this.studio.tune("objective", "beta", Number((event.target as HTMLInputElement).value))}
      /></label>
      ${isBetaLoss(config) ? html`<p class="formula">${betaLoss}</p>` : nothing}
      <p class="note">${t("settings.betaNote")}</p>`;
  }

  #changeSeed(input: HTMLInputElement) {
    const value = parse(input.value, NUMBERS.seed);
    input.setAttribute("aria-invalid", String(value === undefined));
    if (typeof value === "number") this.studio.setSeed(value);
  }
}
