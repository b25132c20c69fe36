/** What the diagnosis says, in the page's languages. The package has the English; the figures are written as people of each language do. */
import { FINDING_TEXTS, type Finding, type FindingCode, type FindingText } from "reparam/measures";
import { plainNumber, speech, type Language } from ".";
import fr from "./findings.fr.json";

const TEXTS: Record<Language, Record<FindingCode, FindingText>> = { en: FINDING_TEXTS, fr };

export function findingWords({ code, figures }: Finding): FindingText {
  const { message, tryThis } = TEXTS[speech.language][code];
  const filled = (phrase: string) => phrase.replace(/\{(\w+)\}/g, (_, name: string) => shown(figures[name] ?? ""));
  return { message: filled(message), tryThis: tryThis.map(filled) };
}

/** Three digits say enough of a figure, steps apart. */
const shown = (figure: number | string) => (typeof figure === "string" ? figure : plainNumber(Number.isInteger(figure) ? figure : Number(figure.toPrecision(3))));
