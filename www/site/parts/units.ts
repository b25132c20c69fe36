/** KL by dimension of the latent: which dimensions the encoder uses, and which it leaves at the prior. */
import { html } from "lit";
import { ACTIVE_NATS } from "reparam/measures";
import { isCode, isPlain } from "../config";
import { dimensionKl } from "../formulas";
import { Part } from "../part";
import { number, t } from "../words";
import "./units.css";

/** Up to this many bars have room for a number. */
const LABELLED = 32;

export class Units extends Part {
  protected override render() {
    const { pictures, config } = this.studio;
    const { codes, plane } = pictures;
    this.hidden = isCode(config);
    const kl = codes?.kl ?? new Float64Array(plane.size);
    const top = Math.max(0.5, ...kl);
    const active = kl.filter((nats) => nats >= ACTIVE_NATS).length;
    const total = kl.reduce((a, b) => a + b, 0);
    const summary = t("units.summary", { active, size: kl.length, threshold: number(ACTIVE_NATS, 2), total: number(total, 1) });
    return html`
      <header>
        <h2>${t("units.title")}</h2>
        <p>${t("units.text")}</p>
        ${config.latent.kind === "categorical" ? "" : html`<p class="formula">${dimensionKl}</p>`}
      </header>
      <div class="bars" role="img" aria-label=${summary} data-testid="units" data-bars=${kl.length}>
        ${Array.from(
          kl,
          (nats, j) => html`<div class=${nats >= ACTIVE_NATS ? "active" : ""} title="z${j + 1}: ${number(nats, 2)}">
            <b style="height: ${Math.max(0, (100 * nats) / top).toFixed(1)}%"></b>${kl.length <= LABELLED ? html`<small>${j + 1}</small>` : ""}
          </div>`,
        )}
      </div>
      <p class="note">${codes ? summary : t("units.empty")}</p>
      ${codes ? html`<p class="note" data-testid="active-units" data-value=${codes.activeUnits}>${t("units.active", { n: codes.activeUnits, size: codes.size })}</p>` : ""}
      ${isPlain(config) ? "" : html`<p class="note">${t("units.approximate")}</p>`}
    `;
  }
}
