/** The words of whatever the core lets one choose: a name and one sentence for each kind, parameter and term; the core's own word where a table has none. */
import { speech, type Language } from ".";
import en from "./choices.en.json";
import fr from "./choices.fr.json";

interface Word {
  name: string;
  text?: string;
}

const TABLES: Record<Language, Partial<Record<string, Word>>> = { en, fr };

export function kindWord(section: string, kind: string): Word {
  return TABLES[speech.language][`${section}.${kind}`] ?? { name: kind };
}

/** A parameter of one kind may have words of its own. */
export function parameterWord(section: string, kind: string, name: string): Word {
  const table = TABLES[speech.language];
  return table[`${section}.${kind}.${name}`] ?? table[`${section}.${name}`] ?? { name };
}

/** What a parameter may be set to, where it is a word. */
export function valueName(value: string): string {
  return kindWord("value", value).name;
}
