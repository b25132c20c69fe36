/** How samples of a model of codes are drawn: from the learnt prior, cut and tempered, of which class; before there is one, evenly. */
import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { isConditional } from "../config";
import { Part } from "../part";
import type { View } from "../view";
import { number, plainNumber, t } from "../words";

/** 0: all. */
const TOP_K = [0, 1, 2, 4, 8, 16, 32];
const TOP_P = [1, 0.99, 0.95, 0.9, 0.8, 0.5];
const CLASSES = [null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

export class CodeSampling extends Part {
  protected override render() {
    const { pictures, run, config } = this.studio;
    const { model, hasPrior } = run;
    const { view } = pictures;
    const isLearnt = hasPrior && !view.isUniform;
    const hasClasses = isLearnt ? model !== null && pictures.coded.isTold(model) : isConditional(config);
    return html`
      <p class="note" role="status" data-testid="drawn-from">${t(isLearnt ? "sampling.learnt" : hasPrior ? "sampling.even" : "sampling.unlearnt")}</p>
      <div class="pair">
        ${hasPrior
          ? this.#choice("sampler", t("sampling.from"), [false, true], view.isUniform, (isUniform) => t(isUniform ? "sampling.uniform" : "sampling.prior"), (isUniform) => ({ isUniform }))
          : nothing}
        ${hasClasses ? this.#choice("class", t("sampling.class"), CLASSES, view.label, (label) => (label === null ? t("sampling.each") : number(label)), (label) => ({ label })) : nothing}
        ${isLearnt
          ? html`${this.#choice("top-k", t("sampling.topK"), TOP_K, view.topK, (k) => (k === 0 ? t("sampling.all") : number(k)), (topK) => ({ topK }))}
            ${this.#choice("top-p", t("sampling.topP"), TOP_P, view.topP, (p) => (p === 1 ? t("sampling.all") : plainNumber(p)), (topP) => ({ topP }))}`
          : nothing}
      </div>
      ${isLearnt ? html`<p class="note">${t("sampling.cuts")}</p>` : nothing}
    `;
  }

  #choice<T>(id: string, label: string, offered: readonly T[], value: T, name: (value: T) => string, change: (value: T) => Partial<View>) {
    return html`<label class="field"
      ><span>${label}</span>
      <select data-testid=${id} @change=${(event: Event) => this.studio.viewSamples(change(offered[(event.target as HTMLSelectElement).selectedIndex]!))}>
        ${offered.map((each) => html`<option .selected=${live(each === value)}>${name(each)}</option>`)}
      </select></label
    >`;
  }
}
