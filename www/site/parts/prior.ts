/** The prior over the codes: what it is, the button that trains it, and what a code costs under it. */
import { html, nothing } from "lit";
import { isCode } from "../config";
import { codePrior } from "../formulas";
import { placesOf, type CodeGrid } from "../grid";
import type { Bits } from "../prior-run";
import { number, t } from "../words";
import { Controls } from "./controls";
import { pauseIcon, playIcon } from "./icons";
import "./prior.css";

export class Prior extends Controls {
  protected override render() {
    const { studio } = this;
    const { run, config, pictures } = studio;
    const { grid } = pictures.coded;
    this.hidden = !isCode(config);
    if (!grid) return nothing;
    return html`
      <header>
        <h2>${t("prior.title")}</h2>
        <p>${t("prior.text", { codes: grid.codes })}</p>
        <p class="formula">${codePrior}</p>
      </header>
      <div class="sides">
        <div class="controls">
          ${this.kinds("codePrior", t("prior.kind"))} ${this.explanation("codePrior")}
          <details>
            <summary>${t("prior.more")}</summary>
            ${this.parametersOf("codePrior").map((parameter) => this.parameter("codePrior", parameter))}
          </details>
          ${this.#transport()}
          <p class="state" role="status">${this.#state()}</p>
          <p class="note">${t("prior.note")}</p>
        </div>
        <div>
          <vae-bits .studio=${studio}></vae-bits>
          ${this.#figures(grid, run.prior.training.at(-1), run.prior.heldOut.at(-1))}
        </div>
      </div>
    `;
  }

  #transport() {
    const { studio } = this;
    const { run, digits, config } = studio;
    const { step, from, goal } = run.prior;
    const isTraining = run.phase === "prior";
    const steps = Number(config.codePrior["steps"]);
    return html`<div class="transport-keys">
        ${isTraining
          ? html`<button class="primary" data-testid="prior-pause" @click=${() => studio.pausePrior()}>${pauseIcon}${t("transport.pause")}</button>`
          : html`<button class="primary" data-testid="prior-train" ?disabled=${!digits || run.phase !== "ready" || run.step === 0} @click=${() => studio.trainPrior()}>
              ${playIcon}${t(run.hasPrior ? "prior.trainOn" : "prior.train", { n: steps })}
            </button>`}
      </div>
      <progress max=${Math.max(1, goal - from)} value=${step - from} aria-label=${t("prior.progress")}></progress>`;
  }

  /** What it waits for, or how it stands. */
  #state() {
    const { run } = this.studio;
    const { step, goal, training } = run.prior;
    const learnt = run.model?.info.prior;
    if (run.phase === "prior") return training.length === 0 ? t("prior.encoding") : t("prior.training", { step, goal });
    if (run.step === 0) return t("prior.modelFirst");
    if (run.phase === "training") return t("prior.pauseFirst");
    if (learnt && !learnt.isCurrent) return html`<strong class="stale" data-testid="prior-stale">${t("prior.stale")}</strong>`;
    return learnt ? t("prior.ready", { step: learnt.step }) : t("prior.untrained");
  }

  #figures(grid: CodeGrid, training: Bits | undefined, heldOut: Bits | undefined) {
    const uniform = Math.log2(grid.codes);
    const row = (name: string, bits: number | undefined, id: string) => html`<tr>
      <th scope="row">${name}</th>
      <td data-testid=${id} data-value=${bits ?? nothing}>${bits === undefined ? "–" : number(bits, 2)}</td>
      <td>${bits === undefined ? "–" : number(bits * Math.LN2 * placesOf(grid), 1)}</td>
    </tr>`;
    return html`<table class="figures">
      <thead>
        <tr>
          <th scope="col"></th>
          <th scope="col">${t("prior.bits")}</th>
          <th scope="col">${t("curves.unit")}</th>
        </tr>
      </thead>
      <tbody>
        ${row(t("prior.uniform"), uniform, "bits-uniform")} ${row(t("curves.training"), training?.bits, "bits-training")}
        ${row(t("curves.heldOut"), heldOut?.bits, "bits-held-out")}
      </tbody>
    </table>`;
  }
}
