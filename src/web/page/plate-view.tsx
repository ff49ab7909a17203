import type { PlateData } from '../messages.js';
import { useWords } from './language.js';

/** Marks that are red on a white plate (GA 36-2018): 警, 应急, WJ, and the letters of a military plate. */
function redPart(text: string, colour: string): readonly [string, string, string] {
  if (colour !== 'white') return ['', text, ''];
  const suffix = /(警|应急)$/u.exec(text)?.[0] ?? '';
  if (suffix !== '') return ['', text.slice(0, -suffix.length), suffix];
  const prefix = /^(WJ|[A-Z]{2}(?=\d))/u.exec(text)?.[0] ?? '';
  return [prefix, text.slice(prefix.length), ''];
}

function ink(className: string, text: string) {
  return text === '' ? null : <span class={className}>{text}</span>;
}

/** A plate as it hangs on the car: ground colour, one or two rows, the dot after the issuer letter, red marks. */
export function PlateView({ plate, small = false }: { readonly plate: PlateData; readonly small?: boolean }) {
  const words = useWords();
  const letters = Array.from(plate.text);
  const province = letters.slice(0, 2).join('');
  const rest = letters.slice(2).join('');
  const dotted = /^\p{Script=Han}[A-Z]/u.test(plate.text) && letters.length <= 8 && !plate.text.endsWith('应急');
  const large = plate.colour === 'green' && /^\p{Script=Han}[A-Z]\d{5}[A-HJK]$/u.test(plate.text);
  const classes = ['plate', large ? 'green-large' : plate.colour, plate.rows === 2 ? 'two-rows' : letters.length > 7 ? 'long' : '', small ? 'small' : ''].filter((name) => name !== '').join(' ');
  const percent = (Math.floor(plate.confidence * 1000) / 10).toFixed(1).replace(/\.0$/u, '');
  const [redStart, middle, redEnd] = redPart(dotted ? rest : plate.text, plate.colour);
  return (
    <span class={classes} title={words.confidence(percent)} aria-label={plate.text}>
      {plate.rows === 2 ? (
        <span class="rows">
          <span class="row top">{dotted ? Array.from(province).join(' · ') : province}</span>
          <span class="row bottom">{rest}</span>
        </span>
      ) : (
        <span class="row">
          {dotted ? ink('', province) : null}
          {dotted ? <i class="dot" /> : null}
          {ink('red', redStart)}
          {ink('', middle)}
          {ink('red', redEnd)}
        </span>
      )}
    </span>
  );
}
