/** What is trained: controls made from the catalogue, so that whatever the core offers can be chosen here. */
import { html, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import type { CatalogueParameter } from "reparam";
import { SECTIONS, type Section } from "../catalogue";
import { BACKENDS, NUMBERS, PRESETS, beta, latentSize, variantOf, type Backend, type Value } from "../config";
import { betaLoss, likelihoods } from "../formulas";
import { Part } from "../part";
import { parse } from "../url";
import { nameOf, number, plainNumber, t } from "../words";
import "./settings.css";

/** Values worth offering where a parameter has too many. */
const OFFERED: Record<string, number[]> = {
  "latent.size": [2, 3, 5, 10, 20, 32, 64],
  learningRate: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
  batchSize: [32, 64, 128, 256, 512],
};
/** As far as the β slider goes; the address bar takes what the core takes. */
const BETA_MAX = 10;
/** Parameters that belong beside the choice itself; the others fold away. */
const UPFRONT = ["latent.size", "objective.beta"];

class Settings extends Part {
  protected override render() {
    const { config } = this.studio;
    return html`
      <h2>${t("settings.title")}</h2>
      <div class="presets" role="group" aria-label=${t("settings.presets")}>
        ${PRESETS.map(
          ({ name, encoder, latent }) => html`<button
            class="chip"
            aria-pressed=${config.encoder.kind === encoder && latentSize(config) === latent}
            @click=${() => this.studio.applyPreset(encoder, latent)}
          >
            ${t(`preset.${name}`)}
          </button>`,
        )}
      </div>
      ${SECTIONS.map((section) => this.#section(section))}
      <div class="pair">
        ${this.#choice(t("settings.learningRate"), config.learningRate, OFFERED["learningRate"]!, (learningRate) => this.studio.setOptimiser({ learningRate }))}
        ${this.#choice(t("settings.batchSize"), config.batchSize, OFFERED["batchSize"]!, (batchSize) => this.studio.setOptimiser({ batchSize }))}
      </div>
      <div class="pair">
        <label class="field"
          ><span>${t("settings.seed")}</span>
          <input
            type="number"
            min=${NUMBERS.seed.min}
            max=${NUMBERS.seed.max}
            step="1"
            .value=${live(String(config.seed))}
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

  #section(section: Section): TemplateResult {
    const { catalogue, config } = this.studio;
    const variants = catalogue[section];
    const { kind } = config[section];
    const parameters = variantOf(catalogue, section, kind)?.parameters ?? [];
    const upfront = parameters.filter(({ name }) => UPFRONT.includes(`${section}.${name}`));
    const folded = parameters.filter(({ name }) => !UPFRONT.includes(`${section}.${name}`));
    return html`
      <fieldset>
        <legend>${t(`section.${section}`)}</legend>
        ${variants.length > 1
          ? html`<div class="segments">
              ${variants.map(
                (variant) => html`<label
                  ><input
                    type="radio"
                    name=${section}
                    value=${variant.kind}
                    .checked=${live(variant.kind === kind)}
                    @change=${() => this.studio.choose(section, variant.kind)}
                  /><span>${nameOf("kind", variant.kind)}</span></label
                >`,
              )}
            </div>`
          : ""}
        ${upfront.map((parameter) => this.#parameter(section, parameter))}
        ${section === "likelihood" && likelihoods[kind] ? html`<p class="formula">${likelihoods[kind]}</p>` : ""}
        ${folded.length > 0
          ? html`<details>
              <summary>${t(`details.${section}`)}</summary>
              ${folded.map((parameter) => this.#parameter(section, parameter))}
            </details>`
          : ""}
      </fieldset>
    `;
  }

  #parameter(section: Section, parameter: CatalogueParameter): TemplateResult {
    const { name } = parameter;
    const value = this.studio.config[section][name] as Value;
    if (name === "beta") return this.#beta();
    if (OFFERED[`${section}.${name}`])
      return this.#choice(nameOf("parameter", name), Number(value), OFFERED[`${section}.${name}`]!, (x) => this.studio.tune(section, name, x));
    return html`<label class="field"
      ><span>${nameOf("parameter", name)}</span>
      <input
        .value=${live(Array.isArray(value) ? value.join(", ") : String(value))}
        inputmode=${parameter.type === "integers" ? "text" : "decimal"}
        @change=${(event: Event) => this.#changeText(event.target as HTMLInputElement, section, parameter)}
    /></label>`;
  }

  #beta(): TemplateResult {
    const value = beta(this.studio.config);
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
      <p class="formula">${betaLoss}</p>
      <p class="note">${t("settings.betaNote")}</p>`;
  }

  #choice(label: string, value: number, offered: number[], set: (value: number) => void): TemplateResult {
    const values = offered.includes(value) ? offered : [...offered, value].sort((a, b) => a - b);
    return html`<label class="field"
      ><span>${label}</span>
      <select @change=${(event: Event) => set(Number((event.target as HTMLSelectElement).value))}>
        ${values.map((each) => html`<option value=${each} .selected=${live(each === value)}>${plainNumber(each)}</option>`)}
      </select></label
    >`;
  }

  #changeSeed(input: HTMLInputElement) {
    const value = parse(input.value, { ...NUMBERS.seed, name: "seed", type: "integer" });
    input.setAttribute("aria-invalid", String(value === undefined));
    if (typeof value === "number") this.studio.setSeed(value);
  }

  #changeText(input: HTMLInputElement, section: Section, parameter: CatalogueParameter) {
    const value = parse(input.value, parameter);
    input.setAttribute("aria-invalid", String(value === undefined));
    if (value !== undefined) this.studio.tune(section, parameter.name, value);
  }
}

customElements.define("vae-settings", Settings);
