/** What is trained: controls made from the catalogue, so that whatever the core offers can be chosen here. */
import { html, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { SECTIONS, type Parameter, type Section, type Value } from "../catalogue";
import { BACKENDS, NUMBERS, PRESETS, beta, latentSize, variantOf, type Backend } from "../config";
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

export class Settings extends Part {
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
        ${this.#choice(t("settings.learningRate"), config.learningRate, OFFERED["learningRate"]!, plainNumber, (learningRate) => this.studio.setOptimiser({ learningRate }))}
        ${this.#choice(t("settings.batchSize"), config.batchSize, OFFERED["batchSize"]!, plainNumber, (batchSize) => this.studio.setOptimiser({ batchSize }))}
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

  #parameter(section: Section, parameter: Parameter): TemplateResult {
    const { name } = parameter;
    const value = this.studio.config[section][name] as Value;
    if (name === "beta") return this.#beta();
    const label = nameOf("parameter", name);
    const offered = OFFERED[`${section}.${name}`];
    if (offered) return this.#choice(label, Number(value), offered, plainNumber, (x) => this.studio.tune(section, name, x));
    if (parameter.type === "choice") return this.#choice(label, String(value), parameter.choices, String, (word) => this.studio.tune(section, name, word));
    return html`<label class="field"
      ><span>${label}</span>
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

  /** A list to choose from; a value that came with the address joins those offered. */
  #choice<T extends number | string>(label: string, value: T, offered: T[], name: (value: T) => string, set: (value: T) => void): TemplateResult {
    const values = offered.includes(value) ? offered : [...offered, value].sort((a, b) => Number(a) - Number(b));
    return html`<label class="field"
      ><span>${label}</span>
      <select @change=${(event: Event) => set(values[(event.target as HTMLSelectElement).selectedIndex]!)}>
        ${values.map((each) => html`<option .selected=${live(each === value)}>${name(each)}</option>`)}
      </select></label
    >`;
  }

  #changeSeed(input: HTMLInputElement) {
    const value = parse(input.value, NUMBERS.seed);
    input.setAttribute("aria-invalid", String(value === undefined));
    if (typeof value === "number") this.studio.setSeed(value);
  }

  #changeText(input: HTMLInputElement, section: Section, parameter: Parameter) {
    const value = parse(input.value, parameter);
    input.setAttribute("aria-invalid", String(value === undefined));
    if (value !== undefined) this.studio.tune(section, parameter.name, value);
  }
}
