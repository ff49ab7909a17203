import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { english, type Words } from '../words/en.js';
import { chinese } from '../words/zh.js';

export type Language = 'zh-CN' | 'en';

const storageKey = 'laurel.language';
const vocabularies: Readonly<Record<Language, Words>> = { 'zh-CN': chinese, en: english };

/** The language chosen before, else the browser's; Chinese where neither says. */
export function firstLanguage(): Language {
  const asked = new URLSearchParams(window.location.search).get('lang') ?? localStorage.getItem(storageKey) ?? navigator.language;
  return /^en/iu.test(asked) ? 'en' : 'zh-CN';
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(storageKey, language);
  document.documentElement.lang = language;
}

export function wordsOf(language: Language): Words {
  return vocabularies[language];
}

export const LanguageContext = createContext<{ readonly language: Language; readonly words: Words }>({ language: 'zh-CN', words: chinese });

export function useWords(): Words {
  return useContext(LanguageContext).words;
}

export function useLanguage(): Language {
  return useContext(LanguageContext).language;
}
