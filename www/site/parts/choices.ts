/** All else that can be chosen, folded away: what is minimised, the latent's law, what the model is told and which of its weights draw. */
import { html, nothing, type TemplateResult } from "lit";
import type { Section } from "../catalogue";
import { t } from "../words";
import { Controls } from "./controls";

/** Open from the start where one of these is not what the page begins with. */
const FOLDED: Section[] = ["latent", "objective", "balance", "flow", "prior", "condition", "ema"];

export class Choices extends Controls {
  #isOpen: boolean | null = null;

  protected override render() {
    const { config, catalogue } = this.studio;
    if (FOLDED.some((section) => config[section].kind !== catalogue[section][0]!.kind)) this.#isOpen ??= true;
    return html`<details class="more" data-testid="more" ?open=${this.#isOpen ?? false}>
      <summary>${t("choices.title")}</summary>
      <fieldset>
        <legend>${t("choices.objective")}</legend>
        ${this.#section("objective", t("section.objective"), "fixed")} ${this.#section("balance", t("section.balance"))}
      </fieldset>
      <fieldset>
        <legend>${t("choices.latent")}</legend>
        ${this.#section("latent", t("section.latentKind"), "none")}
        ${config.latent.kind === "gaussian" ? html`${this.#section("flow", t("section.flow"))} ${this.#section("prior", t("section.prior"))}` : nothing}
      </fieldset>
      <fieldset>
        <legend>${t("choices.rest")}</legend>
        ${this.#section("condition", t("section.condition"))} ${this.#section("ema", t("section.ema"))}
      </fieldset>
    </details>`;
  }

  /** `shown`: which of its parameters stand here; those of the objective that move while training stand above, as those of the latent do. */
  #section(section: Section, label: string, shown: "all" | "fixed" | "none" = "all"): TemplateResult {
    const parameters = this.parametersOf(section).filter(({ live }) => shown === "all" || (shown === "fixed" && !live));
    return html`<div class="kind">${this.kinds(section, label)} ${this.explanation(section)} ${parameters.map((parameter) => this.parameter(section, parameter))}</div>`;
  }
}
