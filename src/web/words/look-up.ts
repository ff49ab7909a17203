import type { Words } from './en.js';

/** A word of a vocabulary by a name that came over the wire; the name itself where it is not known. */
export function word(vocabulary: Readonly<Record<string, string>>, name: string): string {
  return vocabulary[name] ?? name;
}

/** An attention code of a lane in words; `input-fault:closing` names the sensor. */
export function attentionWords(code: string, words: Words): string {
  const [kind, sensor] = code.split(':', 2);
  if (kind === 'input-fault' && sensor !== undefined) return words.inputFault(word(words.sensors, sensor));
  return word(words.attention, code);
}
