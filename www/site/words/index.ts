/** The page's two languages: complete catalogues of one shape, numbers through Intl, and one event when the language changes. */
import en from "./en.json";
import fr from "./fr.json";

export type Key = keyof typeof en;
export type Language = "en" | "fr";
const CATALOGUES: Record<Language, Record<Key, string>> = { en, fr };
export const LANGUAGES: { code: Language; name: string }[] = [
  { code: "en", name: "English" },
  { code: "fr", name: "Français" },
];

class Speech extends EventTarget {
  #language: Language = "en";

  get language() {
    return this.#language;
  }

  speak(language: Language) {
    this.#language = language;
    document.documentElement.lang = language;
    document.title = t("page.title");
    this.dispatchEvent(new Event("change"));
  }
}

export const speech = new Speech();

export function isLanguage(text: string | null): text is Language {
  return text === "en" || text === "fr";
}

/** The phrase of `key`, with `{name}` replaced by `values.name`. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return CATALOGUES[speech.language][key].replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? number(value) : value;
  });
}

const formats = new Map<string, Intl.NumberFormat>();

/** A number as people of this language write it; `digits` decimals, whole numbers if left out. */
export function number(value: number, digits = 0): string {
  const key = `${speech.language}${digits}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(speech.language, { minimumFractionDigits: digits, maximumFractionDigits: digits })));
  return format.format(value);
}

/** A number with as many digits as it needs: 0.001, 0.5, 64. */
export function plainNumber(value: number): string {
  return new Intl.NumberFormat(speech.language, { maximumSignificantDigits: 6 }).format(value);
}
