/** Where the model runs, and why, how large it is and how fast. */
import { html, nothing } from "lit";
import type { Info } from "reparam";
import type { Config } from "../config";
import { Part } from "../part";
import { number, t, type Key } from "../words";
import "./device.css";

export class Device extends Part {
  protected override render() {
    const { run, config } = this.studio;
    const info = run.model?.info;
    return html`
      <h2>${t("device.title")}</h2>
      <p class="backend">
        <strong data-testid="backend" data-value=${info?.backend ?? nothing}>${info ? t(`backend.${info.backend}`) : "–"}</strong>
        ${info ? html`<span class="note">${t(why(info, config))}</span>` : nothing}
        ${info && why(info, config) === "why.cpu" ? html`<span class="note" lang="en">(${info.reason})</span>` : nothing}
      </p>
      <dl class="facts">
        ${info?.adapter ? this.#fact(t("device.adapter"), info.adapter) : nothing}
        ${this.#fact(t("device.parameters"), info ? number(info.parameters) : "–")}
        ${this.#fact(t("device.memory"), info ? t("device.megabytes", { n: number(info.bytes / 1e6, 1) }) : "–")}
        ${this.#fact(t("device.dispatches"), info?.plan ? number(info.plan.dispatches) : "–")}
        ${this.#fact(t("device.steps"), run.stepsPerSecond ? number(run.stepsPerSecond, 1) : "–")}
        ${this.#fact(t("device.digits"), run.stepsPerSecond ? number(Math.round(run.stepsPerSecond * config.batchSize)) : "–")}
      </dl>
      <p class="private">${t("device.private")}</p>
    `;
  }

  #fact(name: string, value: string) {
    return html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  }
}

/** Why this backend, in the page's languages; the core's own words say more where it fell back. */
function why(info: Info, config: Config): Key {
  if (config.backend !== "auto") return "why.chosen";
  return info.backend === "webgpu" ? "why.webgpu" : "why.cpu";
}
