/** Controls made from the catalogue: a list of kinds, a field for each parameter, and what the core would not take, told beside them. */
import { html, noChange, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import type { Parameter, Section, Value, Variant } from "../catalogue";
import { variantOf } from "../config";
import { endsInEvenGrid, endsInGrid } from "../grid";
import { CLASSES } from "../levels";
import { Part } from "../part";
import { parse } from "../url";
import { plainNumber, t } from "../words";
import { kindWord, parameterWord, valueName } from "../words/choices";
import "./settings.css";

/** Values worth offering where a parameter has too many. */
const OFFERED: Record<string, number[]> = {
  "latent.size": [2, 3, 5, 10, 20, 32, 64],
  "likelihood.classes": CLASSES,
};

export abstract class Controls extends Part {
  /** The parameter whose text was last refused, and what would do. */
  #misfit: { id: string; text: string } | null = null;

  protected parametersOf(section: Section): Parameter[] {
    const { catalogue, config } = this.studio;
    const parameters = variantOf(catalogue, section, config[section].kind)?.parameters ?? [];
    return section === "latent" && endsInGrid(config) ? parameters.filter(({ name }) => name !== "positions") : parameters; // the grid has as many as it has
  }

  /** The kinds of a section as a list to choose from. */
  protected kinds(section: Section, label: string): TemplateResult {
    const { catalogue, config } = this.studio;
    const isOffered = ({ kind }: Variant) => kind !== "vq2" || kind === config[section].kind || endsInEvenGrid(config);
    return html`<label class="field"
        ><span>${label}</span>
        <select data-testid="kind-${section}" @change=${(event: Event) => this.studio.choose(section, (event.target as HTMLSelectElement).value)}>
          ${catalogue[section].filter(isOffered).map(({ kind }) => html`<option value=${kind} .selected=${live(kind === config[section].kind)}>${kindWord(section, kind).name}</option>`)}
        </select></label
      >
      ${this.refusal(section)}`;
  }

  /** One sentence on the kind that is chosen. */
  protected explanation(section: Section): TemplateResult {
    return html`<p class="note">${kindWord(section, this.studio.config[section].kind).text}</p>`;
  }

  /** What the core would not take, with a way to have it all the same. */
  protected refusal(section: Section): TemplateResult | typeof nothing {
    const { refusal } = this.studio;
    if (refusal?.section !== section) return nothing;
    return html`<div class="refusal" role="alert" data-testid="refusal">
      <p>${t(refusal.key)}</p>
      ${refusal.key === "refusal.other" ? html`<p lang="en"><code>${refusal.detail}</code></p>` : nothing}
      ${refusal.remedy ? html`<button class="chip" data-testid="remedy" @click=${() => this.studio.takeRemedy()}>${t("refusal.remedy")}</button>` : nothing}
    </div>`;
  }

  /** `isExplained`: with its sentence. */
  protected parameter(section: Section, parameter: Parameter, isExplained = true): TemplateResult {
    const { config } = this.studio;
    const { kind } = config[section];
    const { name, type, choices } = parameter;
    const value = config[section][name] as Value;
    const { name: label, text } = parameterWord(section, kind, name);
    const id = `${section}-${name}`;
    const note = isExplained && text ? html`<p class="note">${text}</p>` : nothing;
    const offered = OFFERED[`${section}.${name}`];
    if (offered) return html`${this.choice(id, label, Number(value), offered, plainNumber, (x) => this.studio.tune(section, name, x))}${note}`;
    if (type === "choice") return html`${this.choice(id, label, String(value), choices, valueName, (word) => this.studio.tune(section, name, word))}${note}`;
    const misfit = this.#misfit?.id === id ? this.#misfit.text : null;
    return html`<label class="field"
        ><span>${label}</span>
        <input
          data-testid=${id}
          .value=${this.isBeingTyped(id) ? noChange : live(Array.isArray(value) ? value.join(", ") : String(value))}
          inputmode=${type === "integers" ? "text" : "decimal"}
          aria-invalid=${misfit !== null}
          @change=${(event: Event) => this.#changeText(event.target as HTMLInputElement, id, section, parameter)}
      /></label>
      ${misfit ? html`<p class="refusal" role="alert">${misfit}</p>` : nothing}${note}`;
  }

  /** While it is, the page leaves its text alone. */
  protected isBeingTyped(id: string): boolean {
    return (document.activeElement as HTMLElement | null)?.dataset["testid"] === id;
  }

  /** A list to choose from; a value that came with the address joins those offered. */
  protected choice<T extends number | string>(id: string, label: string, value: T, offered: readonly T[], name: (value: T) => string, set: (value: T) => void): TemplateResult {
    const values = offered.includes(value) ? offered : [...offered, value].sort((a, b) => Number(a) - Number(b));
    return html`<label class="field"
      ><span>${label}</span>
      <select data-testid=${id} @change=${(event: Event) => set(values[(event.target as HTMLSelectElement).selectedIndex]!)}>
        ${values.map((each) => html`<option .selected=${live(each === value)}>${name(each)}</option>`)}
      </select></label
    >`;
  }

  #changeText(input: HTMLInputElement, id: string, section: Section, parameter: Parameter) {
    const value = parse(input.value, parameter);
    const { min, max } = parameter;
    this.#misfit = value === undefined ? { id, text: t("refusal.range", { text: input.value, min: plainNumber(min), max: plainNumber(max) }) } : null;
    if (value !== undefined) this.studio.tune(section, parameter.name, value);
    this.requestUpdate();
  }
}
