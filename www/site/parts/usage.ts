/** How the codebook is used by held-out digits: a bar for each code, most used first, on a logarithmic scale, and the figures in words. */
import { html, nothing, svg } from "lit";
import { Part } from "../part";
import { number, t } from "../words";
import "./usage.css";

/** The scale's foot, as a share: less is a bar of no height. */
const LEAST = 1e-5;
const MARKS = [1, 0.1, 0.01, 0.001, 0.0001];
const height = (share: number) => (share <= LEAST ? 0 : 1 - Math.log10(share) / Math.log10(LEAST));

export class Usage extends Part {
  protected override render() {
    const { pictures } = this.studio;
    const { coded, view, error } = pictures;
    const { grid } = coded;
    this.hidden = grid === null;
    const usage = coded.usages[view.level];
    if (!grid) return nothing;
    return html`
      <header>
        <h2>${t("usage.title")}</h2>
        <p>${t("usage.text")}</p>
      </header>
      ${usage
        ? html`${this.#bars(usage.counts)}
            <dl class="facts">
              ${fact(t("usage.perplexity"), t("usage.of", { n: number(usage.perplexity, 1), of: number(grid.codes) }), "perplexity", usage.perplexity)}
              ${fact(t("usage.used"), t("usage.ofShare", { n: number(usage.used), of: number(grid.codes), share: number(100 * usage.usage, 0) }), "used", usage.used)}
              ${error ? fact(t("usage.error"), number(error.mseOverVariance, 3), "mse", error.mseOverVariance) : nothing} ${this.#losses()}
            </dl>
            <p class="note">${t("usage.note", { n: coded.counted })}</p>`
        : html`<p class="note">${t("units.empty")}</p>`}
    `;
  }

  #bars(counts: Float64Array) {
    const total = counts.reduce((sum, n) => sum + n, 0);
    const shares = Array.from(counts, (n) => n / total).sort((a, b) => b - a);
    const even = 1 / counts.length;
    const path = shares.map((share, i) => `M${i} 1V${(1 - height(share)).toFixed(4)}H${(i + 0.8).toFixed(1)}V1z`).join("");
    return html`<div class="histogram" role="img" data-testid="usage" aria-label=${t("usage.label", { most: number(100 * shares[0]!, 1), unused: shares.filter((share) => share === 0).length })}>
      <div class="scale" aria-hidden="true">${MARKS.map((share) => html`<span style="bottom: ${(100 * height(share)).toFixed(1)}%">${number(100 * share, Math.max(0, -2 - Math.round(Math.log10(share))))} %</span>`)}</div>
      <div class="field-of-bars">
        ${MARKS.map((share) => html`<hr style="bottom: ${(100 * height(share)).toFixed(1)}%" />`)}
        <svg viewBox="0 0 ${counts.length} 1" preserveAspectRatio="none" aria-hidden="true">${svg`<path d=${path}></path>`}</svg>
        <b style="bottom: ${(100 * height(even)).toFixed(1)}%"><span>${t("usage.even")}</span></b>
      </div>
    </div>`;
  }

  /** The latest of training. */
  #losses() {
    const { report } = this.studio.run;
    if (!report) return nothing;
    const { terms = {}, reconstruction } = report;
    return html`
      ${fact(t("usage.reconstruction"), t("usage.nats", { n: number(reconstruction, 1) }))}
      ${terms["commitment"] === undefined ? nothing : fact(t("usage.commitment"), number(terms["commitment"], 2))}
      ${terms["codebook"] === undefined ? nothing : fact(t("usage.codebook"), number(terms["codebook"], 2))}
    `;
  }
}

const fact = (name: string, value: string, id?: string, figure?: number) => html`<div>
  <dt>${name}</dt>
  <dd data-testid=${id ?? nothing} data-value=${figure ?? nothing}>${value}</dd>
</div>`;
