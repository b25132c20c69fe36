/** Train, pause, step, reset, and the figures that move while a model trains. */
import { html, nothing } from "lit";
import { Part } from "../part";
import { LOG_EVERY } from "../run";
import { number, t } from "../words";
import { pauseIcon, playIcon, resetIcon, stepIcon } from "./icons";
import "./transport.css";

const TRAINING_DIGITS = 60_000;

export class Transport extends Part {
  protected override render() {
    const { studio } = this;
    const { run, config, digits } = studio;
    const ready = digits !== null && run.model !== null && run.phase !== "failed" && run.phase !== "prior";
    const epoch = (run.step * config.batchSize) / TRAINING_DIGITS;
    return html`
      <div class="transport-keys" role="group" aria-label=${t("transport.label")}>
        ${studio.training
          ? html`<button class="primary" data-testid="pause" @click=${() => studio.pause()}>${pauseIcon}${t("transport.pause")}</button>`
          : html`<button class="primary" data-testid="play" ?disabled=${!ready} @click=${() => studio.play()}>${playIcon}${t("transport.play")}</button>`}
        <button
          data-testid="step-once"
          aria-label=${t("transport.stepLabel", { n: LOG_EVERY })}
          ?disabled=${!ready || studio.training}
          @click=${() => studio.step()}
        >
          ${stepIcon}<span class="long">${t("transport.step", { n: LOG_EVERY })}</span>
        </button>
        <button data-testid="reset" aria-label=${t("transport.reset")} ?disabled=${run.phase === "building"} @click=${() => studio.reset()}>
          ${resetIcon}<span class="long">${t("transport.reset")}</span>
        </button>
      </div>
      <dl class="readings">
        <div>
          <dt>${t("transport.steps")}</dt>
          <dd data-testid="step" data-value=${run.step}>${number(run.step)}</dd>
        </div>
        <div class="roomy">
          <dt>${t("transport.epoch")}</dt>
          <dd>
            ${number(epoch, 2)}
            <progress max="1" value=${epoch % 1} aria-label=${t("transport.epochShare")}></progress>
          </dd>
        </div>
        <div>
          <dt>${t("transport.loss")}</dt>
          <dd data-testid="loss" data-value=${run.report?.loss ?? nothing}>${run.report ? number(run.report.loss, 1) : "–"}</dd>
        </div>
        <div class="roomy">
          <dt>${t("transport.speed")}</dt>
          <dd>${this.#speed()}</dd>
        </div>
      </dl>
      <p class="state" role="status" data-phase=${run.phase}>${this.#state()}</p>
    `;
  }

  #speed() {
    const { stepsPerSecond } = this.studio.run;
    if (stepsPerSecond === 0) return "–";
    return t("transport.speedValue", {
      steps: number(stepsPerSecond, stepsPerSecond < 10 ? 1 : 0),
      digits: number(Math.round(stepsPerSecond * this.studio.config.batchSize)),
    });
  }

  #state() {
    const { run, digits, loaded, failure } = this.studio;
    if (run.phase === "failed" || failure) return t("state.failed");
    if (run.phase === "building") return t("state.building");
    if (!digits) return t("state.loading", { share: number(Math.round(100 * loaded)) });
    if (run.phase === "prior") return t("state.prior");
    return run.phase === "training" ? t("state.training") : t("state.ready");
  }
}
