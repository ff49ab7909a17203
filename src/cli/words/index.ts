import { terminalLanguage } from '../output.js';
import { english, type CliWords } from './en.js';
import { chinese } from './zh.js';

export type { CliWords } from './en.js';

/** The words of the guided commands in the terminal's language. */
export function cliWords(): CliWords {
  return terminalLanguage() === 'zh' ? chinese : english;
}
